#![no_main]

fuzz::target!(stored);
