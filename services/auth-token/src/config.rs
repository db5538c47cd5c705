//! What an operator decides.

mod jwt;

use std::time::Duration;

use contract_identity_v1::TOKEN_LIFETIME;

pub use self::jwt::{InvalidIssuer, JwtConfig, JwtIssuerConfig, JwtKeys, TrustedIssuer};
use crate::cached::CacheTimes;
use crate::core::origin::is_origin;

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
    /// The `iss` a connect token's claims must have.
    pub issuer: String,
    /// The `aud` a connect token's claims must have.
    pub audience: String,
    /// By which methods a handshake may prove who it is.
    pub methods: Methods,
    /// Origins of web pages that may connect, as browsers write them (`https://app.example.com`). Empty: those of
    /// every origin may, but not by cookie.
    pub allowed_origins: Vec<String>,
    /// JSON Web Tokens.
    pub jwt: JwtConfig,
    /// Signed handshakes.
    pub hmac: HmacConfig,
}

impl AuthorizerConfig {
    /// Connect tokens of `issuer` for `audience`, by the default [`Methods`].
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            methods: Methods::default(),
            allowed_origins: Vec::new(),
            jwt: JwtConfig::default(),
            hmac: HmacConfig::default(),
        }
    }

    /// The names of the shared secrets that its methods need.
    pub fn secrets(&self) -> Vec<&str> {
        let issuers = self.jwt.issuers.iter().filter(|_| self.methods.jwt);
        let of_issuers = issuers.filter_map(|issuer| match &issuer.keys {
            JwtKeys::Secret(name) => Some(name.as_str()),
            JwtKeys::Fixed(_) | JwtKeys::Url(_) => None,
        });
        of_issuers.chain(self.methods.hmac.then_some(self.hmac.secret.as_str())).collect()
    }

    /// Checks what no single value can tell.
    ///
    /// # Errors
    /// [`InvalidConfig`], the first that is found.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        if self.methods == Methods::NONE {
            return Err(InvalidConfig::NoMethod);
        }
        if let Some(found) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(InvalidConfig::Origin { found: found.clone() });
        }
        let is_name = |name: &&String| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"=;,\"".contains(&byte))
        };
        if let Some(found) = self.jwt.cookie_names.iter().find(|name| !is_name(name)) {
            return Err(InvalidConfig::CookieName { found: found.clone() });
        }
        if self.methods.jwt {
            self.jwt.validate()?;
        }
        if self.methods.hmac && self.hmac.secret.is_empty() {
            return Err(InvalidConfig::NoSecret);
        }
        Ok(())
    }
}

/// Why handshakes can't be decided so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// No method is on.
    #[error("no method is on, so nobody could connect")]
    NoMethod,
    /// An origin that no browser sends.
    #[error("{found:?} is no origin; write it as https://app.example.com, without a path")]
    Origin {
        /// What it is.
        found: String,
    },
    /// A name that no cookie can have.
    #[error("{found:?} is no name of a cookie")]
    CookieName {
        /// What it is.
        found: String,
    },
    /// JSON Web Tokens are accepted, and nobody's are.
    #[error("the method jwt is on, and there is no issuer whose tokens are accepted")]
    NoIssuer,
    /// Two issuers that can't be told apart.
    #[error("two issuers have the same `iss`, {}", .issuer.as_deref().unwrap_or("none"))]
    SameIssuer {
        /// Their `iss`.
        issuer: Option<String>,
    },
    /// Signed handshakes are accepted, and there is no secret.
    #[error("the method hmac is on, and there is no secret to check signatures with")]
    NoSecret,
}

/// Signed handshakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacConfig {
    /// Name of the secret.
    pub secret: String,
    /// Whether a signature may be used as often as one likes while its time is good: for old clients that sign
    /// once and connect several times. Off by default: who sees such a handshake can repeat it.
    pub allow_replay: bool,
    /// How long the secret is kept, and how often read.
    pub cache: CacheTimes,
}

impl Default for HmacConfig {
    fn default() -> Self {
        Self { secret: String::new(), allow_replay: false, cache: CacheTimes::SECRETS }
    }
}

/// Which methods of authentication are switched on. A credential of a method that is off counts as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Methods {
    /// Single-use connect tokens; on by default.
    pub token: bool,
    /// JSON Web Tokens.
    pub jwt: bool,
    /// Signed headers.
    pub hmac: bool,
    /// The client's word, `?client_id=`: for development only, off by default.
    pub open: bool,
}

impl Methods {
    /// None at all.
    pub const NONE: Self = Self { token: false, jwt: false, hmac: false, open: false };
}

impl Default for Methods {
    fn default() -> Self {
        Self { token: true, ..Self::NONE }
    }
}
