//! Issues single-use connect tokens and decides WebSocket handshakes.
//!
//! The [`Issuer`] gives an authenticated caller a token that is good for one handshake within its lifetime.
//! The [`Authorizer`] decides a [`Handshake`]: it finds the credential that is present among the methods
//! switched on, checks it, and answers with the principal it proves or with a [`Refusal`].
//!
//! ```text
//! issue:      claims ── encrypt(context) ──► token ──► client        row {SHA-256(token), TTL} ──► table
//! authorize:  token ──► take row by SHA-256(token) ──► decrypt(context) ──► check claims ──► principal
//!             jwt ────► issuer by `iss` ──► its keys ──► signature ──► check claims ──► principal
//!             hmac ───► time ──► signature ──► claim row by SHA-256(signature) ──► principal
//! ```
//!
//! What is decided is in `core`, without IO; each method of authentication is a module of `methods`; what
//! the crate needs of the world is in [`ports`].

mod authorizer;
mod cached;
mod config;
mod core;
mod issuer;
mod methods;
pub mod ports;
mod telemetry;

pub use authorizer::{Authorizer, Ports};
pub use cached::CacheTimes;
pub use config::{
    AuthorizerConfig, HmacConfig, InvalidConfig, InvalidIssuer, IssuerConfig, JwtConfig, JwtIssuerConfig,
    JwtKeys, Methods, TrustedIssuer,
};
pub use core::claims::InvalidClaims;
pub use core::handshake::Handshake;
pub use core::jwt::{
    InvalidJwt, InvalidKeySet, JWT_LEEWAY, JwtAlgorithm, JwtRules, KeySet, MAX_JWT_BYTES, PresentedJwt,
    VerifiedJwt, hubs, install_provider,
};
pub use core::refusal::{Reason, Refusal, Status};
pub use core::signature::{InvalidSignature, SIGNATURE_WINDOW};
pub use core::token::{MAX_CREDENTIAL_BYTES, token_hash};
pub use issuer::{IssueError, IssuedToken, Issuer, Subject};
pub use telemetry::describe_metrics;
