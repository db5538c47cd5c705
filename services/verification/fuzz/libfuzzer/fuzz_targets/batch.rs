#![no_main]

fuzz::target!(batch);
