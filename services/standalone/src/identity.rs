//! Who may do what: the server's own secrets, made at its first start, and everything checked with them.
//!
//! | Module | Who proves what by it |
//! |---|---|
//! | [`credentials`] | where the secrets lie: two files in the data directory |
//! | [`secrets`] | a producer: the API key |
//! | [`sigv4`] | a producer or an AWS SDK: Signature Version 4 |
//! | [`accounts`] | a person: username and password |
//! | [`jwt`] | a person who has logged in: an ID token of this server |
//! | [`cipher`], [`tokens`] | a handshake: the ports under the single-use connect token |
//!
//! No secret is ever in a `Debug` or in an error.

pub mod accounts;
pub mod cipher;
pub mod credentials;
pub mod jwt;
pub mod secrets;
pub mod sigv4;
pub mod tokens;
