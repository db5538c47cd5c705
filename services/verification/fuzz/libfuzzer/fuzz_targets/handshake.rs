#![no_main]

fuzz::target!(handshake);
