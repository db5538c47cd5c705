//! JSON Web Tokens of other issuers: parsing them, and verifying them by an issuer's rules and keys.
//!
//! The configuration fixes the algorithm of each issuer. The token never chooses it (RFC 8725, section 3.1).

mod algorithm;
mod claims;
mod invalid;
mod key_set;
mod provider;
mod verify;

pub use algorithm::JwtAlgorithm;
pub use claims::{hubs_from_claims, with_prefix};
pub use invalid::InvalidJwt;
pub use key_set::{InvalidKeySet, KeySet};
pub use provider::install as install_crypto_provider;
pub use verify::{JWT_LEEWAY, JwtRules, PresentedJwt, VerifiedJwt};

/// Longest accepted JSON Web Token, in bytes. With a user's groups it can be longer than a connect token. API
/// Gateway accepts 10,240 bytes of headers and URL together
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const MAX_JWT_BYTES: usize = 8 * 1024;

/// Returns true if a text has the form of a JSON Web Token: three parts with dots between. A connect token
/// has no dots.
pub(crate) fn is_jwt(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}
