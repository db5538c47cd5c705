//! The methods of authentication, one module each: where a handshake carries the method's credential
//! (`candidates`), and how it is checked (`authorize`).

pub(crate) mod open;
pub(crate) mod token;
