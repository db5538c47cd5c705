//! Checks without IO: the parts of a handshake, the form and the claims of tokens, signatures, and refusals.
//!
//! This is the lowest layer of the crate. It uses only `ports`.

pub(crate) mod connect_claims;
mod date_time;
pub(crate) mod handshake;
pub(crate) mod hint;
pub(crate) mod jwt;
pub(crate) mod origin;
pub(crate) mod refusal;
pub(crate) mod revocation;
pub(crate) mod signature;
pub(crate) mod single_value;
pub(crate) mod token;
