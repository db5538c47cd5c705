//! Authentication of one server: its secrets, made at the first start, and the checks that use them.
//!
//! | Module | Contents |
//! |---|---|
//! | [`credentials`] | the server's secrets, in two files of the data directory |
//! | [`secrets`] | types of secrets: API key, key pair, 256-bit key |
//! | [`sigv4`] | AWS Signature Version 4, for producers and AWS SDKs |
//! | [`accounts`] | accounts with username and password |
//! | [`keys`] | keys of producers and operators, with scopes, budgets and expiry |
//! | [`records`] | the durable tables of accounts and keys |
//! | [`revocations`] | blocks of users, and revoked credentials |
//! | [`jwt`] | ID tokens of this server, for users who have logged in |
//! | [`cipher`], [`tokens`] | ports of connect tokens: cipher and table in memory |
//! | [`single_use`] | table of connect tokens and used signatures, across restarts |
//! | [`key_sets`] | key sets of other issuers |
//! | [`shared_secrets`] | secrets shared with clients and issuers |
//!
//! No secret appears in a `Debug` output or an error.

pub mod accounts;
pub mod cipher;
pub mod credentials;
pub mod jwt;
pub mod key_sets;
pub mod keys;
pub mod records;
pub mod revocations;
pub mod secrets;
pub mod shared_secrets;
pub mod sigv4;
pub mod single_use;
pub mod tokens;
