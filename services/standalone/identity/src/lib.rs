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
//! | [`used`] | a signed handshake: which signatures were used, across restarts |
//! | [`key_sets`], [`shared_secrets`] | a handshake: the keys of other issuers, and secrets shared with clients |
//!
//! No secret is ever in a `Debug` or in an error.

pub mod accounts;
pub mod cipher;
pub mod credentials;
pub mod jwt;
pub mod key_sets;
pub mod secrets;
pub mod shared_secrets;
pub mod sigv4;
pub mod tokens;
pub mod used;
