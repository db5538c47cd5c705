#![no_main]

fuzz::target!(server_frame);
