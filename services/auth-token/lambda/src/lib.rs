//! Issuer and authorizer on Lambda: two functions that share a table of tokens and a KMS key.
//!
//! The issuer answers `GET` and `POST` requests of an HTTP or REST API whose own authorizer has verified the caller's
//! ID token. The authorizer is the `REQUEST` authorizer of the WebSocket API's `$connect`.

pub mod authorizer;
mod cipher;
mod config;
pub mod issuer;
mod key_sets;
mod secrets;
mod tokens;

pub use cipher::KmsCipher;
pub use config::{AuthorizerConfig, IssuerConfig};
pub use key_sets::HttpKeySets;
pub use secrets::ManagedSecrets;
pub use tokens::DynamoTokens;
