//! JSON Web Tokens of others: whether one is good, by the rules of its issuer and with the issuer's keys.
//!
//! The algorithm is the issuer's by configuration, never the token's choice (RFC 8725, section 3.1).

pub(crate) mod claims;
pub(crate) mod key_set;
pub(crate) mod provider;
mod verify;

pub use claims::hubs;
pub use key_set::{InvalidKeySet, KeySet};
pub use provider::install as install_provider;
pub use verify::{InvalidJwt, JWT_LEEWAY, JwtAlgorithm, JwtRules, PresentedJwt, VerifiedJwt};

/// Longest JSON Web Token that is looked at, in bytes: with the groups of a user they grow beyond a connect
/// token. API Gateway takes 10,240 bytes of headers and URL together
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const MAX_JWT_BYTES: usize = 8 * 1024;

/// Whether a text has the form of a JSON Web Token: three parts with dots between. A connect token has none.
pub(crate) fn is_jwt(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}
