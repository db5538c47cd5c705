//! Whose JSON Web Tokens are accepted.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::Uri;
use serde::Deserialize;

use super::InvalidConfig;
use crate::cached::CacheTimes;
use crate::core::jwt::{JwtAlgorithm, JwtRules, KeySet};

/// Where an issuer's keys are published when nothing else is said, below its `iss`: where Cognito has them.
const WELL_KNOWN: &str = "/.well-known/jwks.json";

/// The claim that lists hubs when nothing else is said.
const HUBS: &str = "hubs";

/// An issuer as an operator writes it. The keys have these names in every runtime.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtIssuerConfig {
    /// The `iss` of its tokens. Only an issuer with a shared secret may be without: then its tokens must be too.
    #[serde(default)]
    pub issuer: Option<String>,
    /// How it signs.
    pub algorithm: JwtAlgorithm,
    /// Where its public keys are; `{issuer}/.well-known/jwks.json` when nothing is said.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// Whether that may be without TLS. On this machine it always may.
    #[serde(default)]
    pub allow_http: bool,
    /// Name of the shared secret, for HS256.
    #[serde(default)]
    pub secret: Option<String>,
    /// Whom its tokens are for: one of these is in `aud`, or is the `client_id` of a token without `aud`. Empty:
    /// anyone.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Claims that list the hubs a connection joins, such as `cognito:groups`.
    #[serde(default = "hubs")]
    pub hubs_claims: Vec<String>,
}

impl JwtIssuerConfig {
    /// With this secret, if it needs one and names none.
    #[must_use]
    pub fn or_secret(mut self, secret: &str) -> Self {
        let is_named = self.secret.as_deref().is_some_and(|name| !name.is_empty());
        if self.algorithm == JwtAlgorithm::Hs256 && !is_named {
            self.secret = Some(secret.to_owned());
        }
        self
    }
}

fn hubs() -> Vec<String> {
    vec![HUBS.to_owned()]
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtKeys {
    /// At hand.
    Fixed(KeySet),
    /// A key set at this address.
    Url(String),
    /// The shared secret of this name.
    Secret(String),
}

/// An issuer whose tokens are accepted. Reads what a [`JwtIssuerConfig`] reads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "JwtIssuerConfig")]
pub struct TrustedIssuer {
    /// What its tokens must be.
    pub rules: JwtRules,
    /// What they are checked with.
    pub keys: JwtKeys,
}

impl TrustedIssuer {
    /// An issuer whose keys are at hand. Its tokens list hubs in the claim `hubs`.
    pub fn with_keys(issuer: &str, audience: &str, algorithm: JwtAlgorithm, keys: KeySet) -> Self {
        let rules = JwtRules {
            issuer: Some(issuer.to_owned()),
            algorithm,
            audiences: vec![audience.to_owned()],
            hubs_claims: hubs(),
        };
        Self { rules, keys: JwtKeys::Fixed(keys) }
    }
}

/// Why an issuer can't be trusted so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuer {
    /// Public keys are anyone's who has a key set; only a secret tells tokens without `iss` apart.
    #[error("`issuer` is missing; only HS256 may be without")]
    NoIssuer,
    /// HS256 without a secret.
    #[error("`secret` is missing; HS256 needs the name of the shared secret")]
    NoSecret,
    /// A secret for public keys.
    #[error("`secret` is for HS256 alone")]
    Secret,
    /// A key set for a shared secret.
    #[error("`jwks_url` is not for HS256, whose key is a shared secret")]
    JwksUrl,
    /// Not an address, or one that is not allowed.
    #[error(
        "{url:?} is no address for a key set: it must be https://, or http:// on this machine or with `allow_http`"
    )]
    Address {
        /// What it is.
        url: String,
    },
}

impl TryFrom<JwtIssuerConfig> for TrustedIssuer {
    type Error = InvalidIssuer;

    fn try_from(config: JwtIssuerConfig) -> Result<Self, InvalidIssuer> {
        let JwtIssuerConfig { issuer, algorithm, jwks_url, allow_http, secret, audiences, hubs_claims } =
            config;
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let issuer = some(issuer);
        let keys = match (algorithm, some(jwks_url), some(secret)) {
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
        Ok(Self { rules: JwtRules { issuer, algorithm, audiences, hubs_claims }, keys })
    }
}

/// Whether keys may be fetched from there: with TLS, or where nobody is between.
fn is_allowed(url: &str, allow_http: bool) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here =
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_here || allow_http,
        _ => false,
    }
}

/// JSON Web Tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtConfig {
    /// Whose are accepted.
    pub issuers: Vec<TrustedIssuer>,
    /// Cookies that may carry one; the first of these that is there counts.
    pub cookie_names: Vec<String>,
    /// How long key sets are kept, and how often fetched.
    pub key_set_cache: CacheTimes,
    /// How long secrets are kept, and how often read.
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
    pub(super) fn validate(&self) -> Result<(), InvalidConfig> {
        if self.issuers.is_empty() {
            return Err(InvalidConfig::NoIssuer);
        }
        let mut seen = BTreeSet::new();
        let twice = self.issuers.iter().map(|one| &one.rules.issuer).find(|issuer| !seen.insert(*issuer));
        twice.map_or(Ok(()), |issuer| Err(InvalidConfig::SameIssuer { issuer: issuer.clone() }))
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
    fn keys_are_where_the_issuer_is_unless_something_else_is_said() {
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
    fn keys_come_with_tls_or_from_this_machine() {
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
        // The issuer's name need not be an address.
        assert!(trusted(json!({"issuer": "i", "algorithm": "RS256"})).is_err());
    }

    #[test]
    fn a_shared_secret_is_for_hs256_and_may_be_without_an_issuer() {
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
    fn what_is_not_known_is_refused() {
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
