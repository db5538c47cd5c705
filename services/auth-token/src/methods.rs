//! The methods of authentication, one module each: where a handshake carries the method's credential
//! (`find`, `candidates`), and how it is checked (`authorize`).

pub(crate) mod hmac;
pub(crate) mod jwt;
pub(crate) mod open;
pub(crate) mod token;
