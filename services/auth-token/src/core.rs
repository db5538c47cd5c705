//! The decisions, without IO: which credential a handshake presents, whether claims are good, and what a
//! refusal answers.

pub(crate) mod claims;
pub(crate) mod credential;
pub(crate) mod handshake;
pub(crate) mod refusal;
pub(crate) mod token;
