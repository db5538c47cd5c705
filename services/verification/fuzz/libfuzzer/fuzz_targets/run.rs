#![no_main]

fuzz::target!(run);
