//! The methods of authentication. Each module finds its credential in a handshake (`find`, `candidates`) and
//! verifies it (`authorize`).

pub(crate) mod hmac;
pub(crate) mod jwt;
pub(crate) mod open;
pub(crate) mod token;
