//! The operator's settings.

mod error;
mod jwt;
mod lifetime;

use std::time::Duration;

use contract_identity_v1::TOKEN_LIFETIME;

pub use self::error::InvalidConfig;
pub use self::jwt::{InvalidIssuer, JwtConfig, JwtIssuerConfig, JwtKeys, TrustedIssuer};
pub use self::lifetime::{InvalidLifetime, MaxLifetime};
use crate::cached::CacheTimes;
use crate::core::origin::is_origin;

/// Settings of the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// `iss` of the claims.
    pub issuer: String,
    /// `aud` of the claims: the gateway that the tokens are for.
    pub audience: String,
    /// Lifetime of a token.
    pub lifetime: Duration,
}

impl IssuerConfig {
    /// Creates settings for tokens of `issuer` for `audience` with the lifetime [`TOKEN_LIFETIME`].
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), lifetime: TOKEN_LIFETIME }
    }
}

/// Settings of the authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizerConfig {
    /// Required `iss` of a connect token's claims.
    pub issuer: String,
    /// Required `aud` of a connect token's claims.
    pub audience: String,
    /// Enabled methods of authentication.
    pub methods: Methods,
    /// Origins of web pages that may connect, as browsers write them (`https://app.example.com`). When empty,
    /// pages of every origin may connect, but cookies are not accepted.
    pub allowed_origins: Vec<String>,
    /// Settings for JSON Web Tokens.
    pub jwt: JwtConfig,
    /// Settings for signed handshakes.
    pub hmac: HmacConfig,
}

impl AuthorizerConfig {
    /// Creates settings for connect tokens of `issuer` for `audience`, with the default [`Methods`].
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

    /// Returns the names of the shared secrets of the issuers and of the enabled methods.
    pub fn secrets(&self) -> Vec<&str> {
        self.issuers_secrets().chain(self.handshake_secret()).collect()
    }

    /// Returns the names of the issuers' shared secrets.
    pub fn issuers_secrets(&self) -> impl Iterator<Item = &str> {
        // Tokens of all issuers may be exchanged for connect tokens.
        self.jwt.issuers.iter().filter_map(|issuer| match &issuer.keys {
            JwtKeys::Secret(name) => Some(name.as_str()),
            JwtKeys::Fixed(_) | JwtKeys::Url(_) => None,
        })
    }

    /// Returns the name of the shared secret of signed handshakes, if the method is enabled.
    pub fn handshake_secret(&self) -> Option<&str> {
        self.methods.hmac.then_some(self.hmac.secret.as_str())
    }

    /// Checks the settings and their combination.
    ///
    /// # Errors
    /// [`InvalidConfig`] with the first error found.
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
        self.jwt.validate(self.methods.jwt)?;
        if self.methods.hmac && self.hmac.secret.is_empty() {
            return Err(InvalidConfig::NoSecret);
        }
        Ok(())
    }
}

/// Settings for signed handshakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacConfig {
    /// Name of the shared secret.
    pub secret: String,
    /// True if a signature may be used any number of times while its time is valid. For old clients that sign
    /// once and connect several times. False by default: anyone who sees such a handshake can repeat it.
    pub allow_replay: bool,
    /// Cache times of the secret.
    pub cache: CacheTimes,
}

impl Default for HmacConfig {
    fn default() -> Self {
        Self { secret: String::new(), allow_replay: false, cache: CacheTimes::SECRETS }
    }
}

/// Enabled methods of authentication. A credential of a disabled method is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each method is enabled on its own")]
pub struct Methods {
    /// Single-use connect tokens; on by default.
    pub token: bool,
    /// JSON Web Tokens.
    pub jwt: bool,
    /// Signed headers.
    pub hmac: bool,
    /// The client's claim without proof, `?client_id=`. For development only; off by default.
    pub open: bool,
}

impl Methods {
    /// No method.
    pub const NONE: Self = Self { token: false, jwt: false, hmac: false, open: false };
}

impl Default for Methods {
    fn default() -> Self {
        Self { token: true, ..Self::NONE }
    }
}
