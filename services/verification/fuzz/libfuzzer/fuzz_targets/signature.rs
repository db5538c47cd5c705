#![no_main]

fuzz::target!(signature);
