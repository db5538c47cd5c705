//! The decisions, without IO: which credential a handshake presents, whether claims are good, and what a
//! refusal answers.

pub(crate) mod claims;
pub(crate) mod credential;
mod date_time;
pub(crate) mod handshake;
pub(crate) mod jwt;
pub(crate) mod origin;
pub(crate) mod refusal;
pub(crate) mod signature;
pub(crate) mod token;
