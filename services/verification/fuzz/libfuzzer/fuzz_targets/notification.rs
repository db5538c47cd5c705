#![no_main]

fuzz::target!(notification);
