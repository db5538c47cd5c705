//! The section `[handshake]`: the methods of authentication and their rules.

use auth_token::{
    AuthorizerConfig, HmacConfig, InvalidConfig, JwtAlgorithm, JwtConfig, KeySet, Methods, TrustedIssuer,
};
use serde::Deserialize;

use super::{Config, ConfigError, ServerConfig, TokensConfig};
use crate::server::GUEST_PREFIX;

/// The section `[handshake]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct HandshakeConfig {
    pub token: bool,
    pub jwt: bool,
    pub hmac: bool,
    pub open: bool,
    pub allowed_origins: Vec<String>,
    pub cookie_names: Vec<String>,
    pub jwt_issuers: Vec<TrustedIssuer>,
    pub shared_user_ids: bool,
    pub hmac_secret: String,
    pub hmac_allow_replay: bool,
}

impl Default for HandshakeConfig {
    /// Returns the defaults of `default.toml`.
    fn default() -> Self {
        let Methods { token, jwt, hmac, open } = Methods::default();
        let JwtConfig { issuers: jwt_issuers, cookie_names, shared_user_ids, .. } = JwtConfig::default();
        let HmacConfig { secret: hmac_secret, allow_replay: hmac_allow_replay, .. } = HmacConfig::default();
        let allowed_origins = Vec::new();
        Self {
            token,
            jwt,
            hmac,
            open,
            allowed_origins,
            cookie_names,
            jwt_issuers,
            shared_user_ids,
            hmac_secret,
            hmac_allow_replay,
        }
    }
}

impl Config {
    /// Returns the configured rules of handshakes. The server's own issuer is not among them, because its key is in
    /// the store.
    pub fn authorizer(&self) -> AuthorizerConfig {
        let HandshakeConfig { token, jwt, hmac, open, .. } = self.handshake;
        AuthorizerConfig {
            methods: Methods { token, jwt, hmac, open },
            allowed_origins: self.allowed_origins(),
            jwt: JwtConfig {
                issuers: self.handshake.jwt_issuers.clone(),
                cookie_names: self.handshake.cookie_names.clone(),
                shared_user_ids: self.handshake.shared_user_ids,
                ..JwtConfig::default()
            },
            hmac: HmacConfig {
                secret: self.handshake.hmac_secret.clone(),
                allow_replay: self.handshake.hmac_allow_replay,
                ..HmacConfig::default()
            },
            ..AuthorizerConfig::new(&self.tokens.issuer, &self.tokens.audience)
        }
    }

    /// Returns the origins of pages that may connect: those of the setting, and then the server's own, whose pages it serves
    /// itself; none if the setting is empty.
    fn allowed_origins(&self) -> Vec<String> {
        let mut origins = self.handshake.allowed_origins.clone();
        if origins.is_empty() {
            return origins;
        }
        let ServerConfig { listen, public_host, tls_certificate, trusted_proxies, .. } = &self.server;
        let has_tls = !tls_certificate.as_os_str().is_empty();
        let public_host = public_host.to_ascii_lowercase();
        if !public_host.is_empty() {
            origins.push(format!("https://{public_host}"));
            // Behind a proxy, the page may well have come without TLS, and through somebody else.
            if !has_tls && trusted_proxies.is_empty() {
                origins.push(format!("http://{public_host}"));
            }
        }
        if listen.ip().is_loopback() {
            let scheme = if has_tls { "https" } else { "http" };
            origins.push(format!("{scheme}://{listen}"));
            origins.push(format!("{scheme}://localhost:{}", listen.port()));
        }
        origins
    }

    /// Checks the rules together with the server's own issuer, whose tokens are always accepted.
    pub(super) fn validate_handshake(&self) -> Result<(), ConfigError> {
        let mut authorizer = self.authorizer();
        let TokensConfig { issuer, audience, .. } = &self.tokens;
        let own = TrustedIssuer::with_keys(issuer, audience, JwtAlgorithm::EdDsa, KeySet::default());
        authorizer.jwt.issuers.push(own);
        authorizer.validate().map_err(|error| {
            let key = match error {
                InvalidConfig::NoMethod => "handshake.token",
                InvalidConfig::Origin { .. } => "handshake.allowed_origins",
                InvalidConfig::CookieName { .. } => "handshake.cookie_names",
                InvalidConfig::NoIssuer
                | InvalidConfig::SameIssuer { .. }
                | InvalidConfig::NoPrefix { .. }
                | InvalidConfig::SamePrefix { .. } => "handshake.jwt_issuers",
                InvalidConfig::NoSecret => "handshake.hmac_secret",
            };
            ConfigError::invalid(key, error.to_string())
        })?;
        self.validate_own_users(&authorizer.jwt)
    }

    /// Refuses an issuer that could name the server's own users. Accounts are checked when the store is open.
    fn validate_own_users(&self, jwt: &JwtConfig) -> Result<(), ConfigError> {
        let own = match &self.login {
            login if login.guests => "login.guests is true",
            login if !login.shown_users.is_empty() => "login.shown_users is not empty",
            _ => return Ok(()),
        };
        let names_guests =
            |prefix: &str| prefix.starts_with(GUEST_PREFIX) || GUEST_PREFIX.starts_with(prefix);
        let prefixes = jwt.issuers.iter().map(|issuer| &issuer.rules.user_prefix);
        if self.login.guests
            && let Some(prefix) =
                prefixes.filter(|prefix| !prefix.is_empty()).find(|prefix| names_guests(prefix))
        {
            let problem = format!(
                "an issuer has the user_prefix {prefix:?}, so it could name guests, whose names begin with {GUEST_PREFIX:?}; \
                 give it another one, such as \"login:\""
            );
            return Err(ConfigError::invalid("handshake.jwt_issuers", problem));
        }
        let Some(issuer) = jwt.issuer_without_prefix() else { return Ok(()) };
        let problem = format!(
            "{own}, and the issuer {} has no user_prefix, so it could name the server's own users; give it one, such as \
             \"login:\", or set handshake.shared_user_ids = true if they are the same people",
            issuer.rules.issuer.as_deref().unwrap_or("without `issuer`")
        );
        Err(ConfigError::invalid("handshake.jwt_issuers", problem))
    }
}
