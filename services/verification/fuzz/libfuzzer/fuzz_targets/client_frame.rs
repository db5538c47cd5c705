#![no_main]

fuzz::target!(client_frame);
