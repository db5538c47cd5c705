//! Trusted issuers of JSON Web Tokens.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::Uri;
use serde::Deserialize;

use super::error::InvalidConfig;
use crate::cached::CacheTimes;
use crate::core::jwt::{JwtAlgorithm, JwtRules, KeySet};

/// Default path of an issuer's key set, below its `iss`. Cognito publishes its keys there.
const WELL_KNOWN: &str = "/.well-known/jwks.json";

/// Default claim that lists hubs.
const HUBS: &str = "hubs";

/// An issuer as an operator writes it. The fields have the same names in every runtime.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtIssuerConfig {
    /// The `iss` of its tokens. Only an issuer with a shared secret may have none; then its tokens must have
    /// none either.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Algorithm of its signatures.
    pub algorithm: JwtAlgorithm,
    /// URL of its key set; `{issuer}/.well-known/jwks.json` when absent.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// True if the URL may be without TLS. On this machine it always may.
    #[serde(default)]
    pub allow_http: bool,
    /// Name of the shared secret, for HS256.
    #[serde(default)]
    pub secret: Option<String>,
    /// Accepted audiences: one of them is in `aud`, or is the `client_id` of a token without `aud`. When
    /// empty, every audience is accepted.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Names of the claims that list the connection's hubs, such as `cognito:groups`.
    #[serde(default = "hubs")]
    pub hubs_claims: Vec<String>,
    /// True if a token must have the claim `exp`. One without it never expires.
    #[serde(default = "yes")]
    pub require_exp: bool,
}

impl JwtIssuerConfig {
    /// Returns the issuer with this secret, if it needs a secret and names none.
    #[must_use]
    pub fn with_default_secret(mut self, secret: &str) -> Self {
        let is_named = self.secret.as_deref().is_some_and(|name| !name.is_empty());
        if self.algorithm == JwtAlgorithm::Hs256 && !is_named {
            self.secret = Some(secret.to_owned());
        }
        self
    }
}

const fn yes() -> bool {
    true
}

fn hubs() -> Vec<String> {
    vec![HUBS.to_owned()]
}

/// Source of an issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtKeys {
    /// These keys.
    Fixed(KeySet),
    /// The key set at this URL.
    Url(String),
    /// The shared secret of this name.
    Secret(String),
}

/// An issuer whose tokens are accepted. It deserializes from the same fields as [`JwtIssuerConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "JwtIssuerConfig")]
pub struct TrustedIssuer {
    /// Requirements on its tokens.
    pub rules: JwtRules,
    /// Source of the keys that verify them.
    pub keys: JwtKeys,
}

impl TrustedIssuer {
    /// Creates an issuer with known keys. Its tokens list hubs in the claim `hubs`.
    pub fn with_keys(issuer: &str, audience: &str, algorithm: JwtAlgorithm, keys: KeySet) -> Self {
        let rules = JwtRules {
            issuer: Some(issuer.to_owned()),
            algorithm,
            audiences: vec![audience.to_owned()],
            hubs_claims: hubs(),
            require_exp: true,
        };
        Self { rules, keys: JwtKeys::Fixed(keys) }
    }
}

/// Reasons for refusing an issuer's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuer {
    /// The issuer has no `iss` and no shared secret.
    #[error("`issuer` is missing; only HS256 may be without")]
    NoIssuer,
    /// HS256 is configured without a secret.
    #[error("`secret` is missing; HS256 needs the name of the shared secret")]
    NoSecret,
    /// A secret is configured for an algorithm with public keys.
    #[error("`secret` is for HS256 alone")]
    Secret,
    /// A key set is configured for a shared secret.
    #[error("`jwks_url` is not for HS256, whose key is a shared secret")]
    JwksUrl,
    /// The key set's URL is malformed or not allowed.
    #[error(
        "{url:?} is not a URL for a key set: it must be https://, or http:// on this machine or with `allow_http`"
    )]
    Address {
        /// The URL found.
        url: String,
    },
}

impl TryFrom<JwtIssuerConfig> for TrustedIssuer {
    type Error = InvalidIssuer;

    fn try_from(config: JwtIssuerConfig) -> Result<Self, InvalidIssuer> {
        let JwtIssuerConfig { issuer, algorithm, jwks_url, allow_http, secret, .. } = config;
        let JwtIssuerConfig { audiences, hubs_claims, require_exp, .. } = config;
        let non_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        let issuer = non_empty(issuer);
        let keys = match (algorithm, non_empty(jwks_url), non_empty(secret)) {
            (JwtAlgorithm::Hs256, None, Some(name)) => JwtKeys::Secret(name),
            (JwtAlgorithm::Hs256, Some(_), _) => return Err(InvalidIssuer::JwksUrl),
            (JwtAlgorithm::Hs256, None, None) => return Err(InvalidIssuer::NoSecret),
            (_, _, Some(_)) => return Err(InvalidIssuer::Secret),
            (_, url, None) => {
                let issuer = issuer.as_deref().ok_or(InvalidIssuer::NoIssuer)?;
                let url = url.unwrap_or_else(|| format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/')));
                if !is_allowed(&url, allow_http) {
                    return Err(InvalidIssuer::Address { url });
                }
                JwtKeys::Url(url)
            }
        };
        Ok(Self { rules: JwtRules { issuer, algorithm, audiences, hubs_claims, require_exp }, keys })
    }
}

/// Returns true if keys may be fetched from a URL: over TLS, from this machine, or if HTTP is allowed.
fn is_allowed(url: &str, allow_http: bool) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_local =
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_local || allow_http,
        _ => false,
    }
}

/// Settings for JSON Web Tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtConfig {
    /// Trusted issuers.
    pub issuers: Vec<TrustedIssuer>,
    /// Cookies that may carry a token. The first one present is used.
    pub cookie_names: Vec<String>,
    /// Cache times of key sets.
    pub key_set_cache: CacheTimes,
    /// Cache times of secrets.
    pub secret_cache: CacheTimes,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            cookie_names: ["auth", "id_token", "authToken"].map(str::to_owned).into(),
            key_set_cache: CacheTimes::KEY_SETS,
            secret_cache: CacheTimes::SECRETS,
        }
    }
}

impl JwtConfig {
    /// Checks the issuers. There must be one if handshakes with tokens are enabled.
    pub(super) fn validate(&self, is_enabled: bool) -> Result<(), InvalidConfig> {
        if is_enabled && self.issuers.is_empty() {
            return Err(InvalidConfig::NoIssuer);
        }
        let mut seen = BTreeSet::new();
        let duplicate = self.issuers.iter().map(|one| &one.rules.issuer).find(|issuer| !seen.insert(*issuer));
        duplicate.map_or(Ok(()), |issuer| Err(InvalidConfig::SameIssuer { issuer: issuer.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trusted(config: serde_json::Value) -> Result<TrustedIssuer, InvalidIssuer> {
        serde_json::from_value::<JwtIssuerConfig>(config).unwrap().try_into()
    }

    #[test]
    fn key_set_url_defaults_to_the_issuers_well_known() {
        let url = |config| match trusted(config).unwrap().keys {
            JwtKeys::Url(url) => url,
            other => panic!("{other:?}"),
        };
        let issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a";
        let well_known = format!("{issuer}/.well-known/jwks.json");
        assert_eq!(url(json!({"issuer": issuer, "algorithm": "RS256"})), well_known);
        assert_eq!(url(json!({"issuer": format!("{issuer}/"), "algorithm": "RS256"})), well_known);
        let other = "http://localhost:4566/a/.well-known/jwks.json";
        assert_eq!(url(json!({"issuer": issuer, "algorithm": "ES256", "jwks_url": other})), other);
    }

    #[test]
    fn key_set_url_has_tls_or_is_local() {
        let at = |url: &str, allow: bool| {
            trusted(json!({"issuer": "i", "algorithm": "EdDSA", "jwks_url": url, "allow_http": allow}))
        };
        for url in ["https://a.example/k", "http://localhost/k", "http://127.0.0.2:80/k", "http://[::1]:1/k"]
        {
            assert!(at(url, false).is_ok(), "{url}");
        }
        assert!(at("http://keys.internal/k", true).is_ok());
        for url in ["http://a.example/k", "http://localhost.a.example/k", "ftp://localhost/k", "/k", "k", ""]
        {
            assert!(at(url, false).is_err(), "{url}");
        }
        // The issuer's name need not be a URL.
        assert!(trusted(json!({"issuer": "i", "algorithm": "RS256"})).is_err());
    }

    #[test]
    fn only_hs256_has_a_secret_and_may_lack_an_issuer() {
        let secret = trusted(json!({"algorithm": "HS256", "secret": "chat"})).unwrap();
        assert_eq!((secret.rules.issuer, secret.keys), (None, JwtKeys::Secret("chat".to_owned())));
        assert_eq!(trusted(json!({"algorithm": "HS256"})), Err(InvalidIssuer::NoSecret));
        assert_eq!(trusted(json!({"algorithm": "RS256"})), Err(InvalidIssuer::NoIssuer));
        let both = json!({"issuer": "https://i", "algorithm": "RS256", "secret": "s"});
        assert_eq!(trusted(both), Err(InvalidIssuer::Secret));
        let url = json!({"algorithm": "HS256", "secret": "s", "jwks_url": "https://i/k"});
        assert_eq!(trusted(url), Err(InvalidIssuer::JwksUrl));
    }

    #[test]
    fn unknown_algorithms_and_fields_are_refused() {
        for config in [
            json!({"issuer": "https://i", "algorithm": "none"}),
            json!({"issuer": "https://i", "algorithm": "HS512"}),
            json!({"issuer": "https://i"}),
            json!({"issuer": "https://i", "algorithm": "RS256", "audience": "a"}),
        ] {
            assert!(serde_json::from_value::<JwtIssuerConfig>(config).is_err());
        }
    }
}
