//! What an operator decides.

use std::time::Duration;

use contract_identity_v1::TOKEN_LIFETIME;

/// How tokens are issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// `iss` of the claims.
    pub issuer: String,
    /// `aud` of the claims: which gateway the tokens are for.
    pub audience: String,
    /// How long a token is good for.
    pub lifetime: Duration,
}

impl IssuerConfig {
    /// Tokens of `issuer` for `audience`, good for [`TOKEN_LIFETIME`].
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), lifetime: TOKEN_LIFETIME }
    }
}

/// How handshakes are decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizerConfig {
    /// The `iss` a token's claims must have.
    pub issuer: String,
    /// The `aud` a token's claims must have.
    pub audience: String,
    /// By which methods a handshake may prove who it is.
    pub methods: Methods,
}

impl AuthorizerConfig {
    /// Tokens of `issuer` for `audience`, by the default [`Methods`].
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), methods: Methods::default() }
    }
}

/// Which methods of authentication are switched on. A credential of a method that is off counts as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Methods {
    /// Single-use connect tokens; on by default.
    pub token: bool,
    /// The client's word, `?client_id=`: for development only, off by default.
    pub open: bool,
}

impl Default for Methods {
    fn default() -> Self {
        Self { token: true, open: false }
    }
}
