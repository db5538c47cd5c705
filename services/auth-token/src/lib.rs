//! Issues single-use connect tokens and authorizes WebSocket handshakes.
//!
//! The [`Issuer`] gives an authenticated caller a token that is valid for one handshake within its lifetime.
//! The [`Authorizer`] decides a [`Handshake`]: it finds the credential of an enabled method, verifies it, and
//! returns the authenticated principal or a [`Refusal`].
//!
//! ```text
//! issue:      claims ── encrypt(context) ──► token ──► client        row {SHA-256(token), TTL} ──► table
//! authorize:  token ──► take row by SHA-256(token) ──► decrypt(context) ──► check claims ──► principal
//!             jwt ────► issuer by `iss` ──► its keys ──► signature ──► check claims ──► principal
//!             hmac ───► time ──► signature ──► claim row by SHA-256(signature) ──► principal
//! ```
//!
//! Modules use only modules below them:
//!
//! | module | content |
//! |---|---|
//! | `authorizer`, `issuer` | the two entry points |
//! | `credential` | selects the credential of a handshake |
//! | `methods` | a module for each method: finds its credential and verifies it through the ports |
//! | `config` | the operator's settings |
//! | `cached` | keeps fetched keys and secrets |
//! | `data_key` | encrypts connect tokens with a key in memory |
//! | `secret_length` | the least length of shared secrets |
//! | `core` | checks without IO |
//! | [`ports`] | the traits that adapters implement |

mod authorizer;
mod cached;
mod config;
mod core;
mod credential;
mod data_key;
mod issuer;
mod methods;
pub mod ports;
mod secret_length;
mod telemetry;

pub use authorizer::{Adapters, Authorizer, Ports};
pub use cached::{CacheTimes, Cached};
pub use config::{
    AuthorizerConfig, HmacConfig, InvalidConfig, InvalidIssuer, InvalidLifetime, IssuerConfig, JwtConfig,
    JwtIssuerConfig, JwtKeys, MaxLifetime, Methods, TrustedIssuer,
};
pub use core::connect_claims::InvalidClaims;
pub use core::handshake::Handshake;
pub use core::jwt::{
    InvalidJwt, InvalidKeySet, JWT_LEEWAY, JwtAlgorithm, JwtRules, KeySet, MAX_JWT_BYTES, PresentedJwt,
    VerifiedJwt, hubs_from_claims, install_crypto_provider, with_prefix,
};
pub use core::origin::is_allowed_origin;
pub use core::refusal::{Reason, Refusal, Status};
pub use core::revocation::Revoked;
pub use core::signature::{InvalidSignature, SIGNATURE_WINDOW};
pub use core::token::{MAX_CREDENTIAL_BYTES, token_hash};
pub use data_key::DataKey;
pub use issuer::{IssueError, IssuedToken, Issuer, Subject};
pub use secret_length::{MIN_SECRET_BYTES, ShortSecret};
pub use telemetry::describe_metrics;
