//! Trusted issuers of JSON Web Tokens.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::Uri;
use serde::Deserialize;

use super::error::InvalidConfig;
use super::lifetime::MaxLifetime;
use crate::cached::CacheTimes;
use crate::core::jwt::{JwtAlgorithm, JwtRules, KeySet};

/// Default path of an issuer's key set, below its `iss`. Cognito publishes its keys there.
const WELL_KNOWN: &str = "/.well-known/jwks.json";

/// Default claim that lists hubs.
const HUBS: &str = "hubs";

/// Longest prefix of user ids, in bytes: a quarter of a user id.
const MAX_PREFIX: usize = 32;

/// Prefixes of the gateway's own: of carried user ids, and of guests.
const OWN_PREFIXES: [&str; 2] = ["u8:", "guest-"];

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
    /// Accepted audiences: one of them is in `aud`, or is the `client_id` of a token without `aud`. Required
    /// with public keys, because such an issuer may sign tokens for many applications.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// True if every audience is accepted, so that a token for any application of the issuer is good.
    #[serde(default)]
    pub any_audience: bool,
    /// Text in front of the subjects of its tokens, so that they are no user ids of another issuer. Empty for none.
    #[serde(default)]
    pub user_prefix: String,
    /// Accepted values of `typ` in a token's header; when empty, `JWT`, `at+jwt` and none.
    #[serde(default)]
    pub token_types: Vec<String>,
    /// Longest accepted time between the issue of a token and its expiry.
    #[serde(default)]
    pub max_lifetime: MaxLifetime,
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
            user_prefix: String::new(),
            token_types: Vec::new(),
            max_lifetime: MaxLifetime::default().0,
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
    /// Tokens for every application of the issuer would be accepted.
    #[error(
        "`audiences` is empty, so a token for any application of the issuer would be good; list your own, or set \
         `any_audience = true`"
    )]
    NoAudience,
    /// Audiences are configured, and all of them are to be accepted.
    #[error("`any_audience` is true, but `audiences` is not empty; remove one of them")]
    Audiences,
    /// The prefix can't stand in front of user ids.
    #[error(
        "`user_prefix` is {found:?}; allowed are at most {MAX_PREFIX} letters, digits and ASCII punctuation, not \
         beginning with \"u8:\" or \"guest-\""
    )]
    Prefix {
        /// The prefix found.
        found: String,
    },
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
        let JwtIssuerConfig { audiences, any_audience, hubs_claims, require_exp, .. } = config;
        let JwtIssuerConfig { user_prefix, token_types, max_lifetime, .. } = config;
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
        match (audiences.is_empty(), any_audience) {
            // Only holders of the secret sign, and the secret may be of one application.
            (true, false) if algorithm != JwtAlgorithm::Hs256 => return Err(InvalidIssuer::NoAudience),
            (false, true) => return Err(InvalidIssuer::Audiences),
            _ => {}
        }
        if !is_prefix(&user_prefix) {
            return Err(InvalidIssuer::Prefix { found: user_prefix });
        }
        let max_lifetime = max_lifetime.0;
        let rules = JwtRules {
            issuer,
            algorithm,
            audiences,
            user_prefix,
            token_types,
            max_lifetime,
            hubs_claims,
            require_exp,
        };
        Ok(Self { rules, keys })
    }
}

/// Returns true if a text may stand in front of user ids, so that they stay as people write them.
fn is_prefix(text: &str) -> bool {
    text.len() <= MAX_PREFIX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !OWN_PREFIXES.iter().any(|own| text.starts_with(own))
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
    /// True if several issuers may name the same users.
    pub shared_user_ids: bool,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            cookie_names: ["auth", "id_token", "authToken"].map(str::to_owned).into(),
            key_set_cache: CacheTimes::KEY_SETS,
            secret_cache: CacheTimes::SECRETS,
            shared_user_ids: false,
        }
    }
}

impl JwtConfig {
    /// Checks the issuers. There must be one if handshakes with tokens are enabled.
    pub(super) fn validate(&self, is_enabled: bool) -> Result<(), InvalidConfig> {
        if is_enabled && self.issuers.is_empty() {
            return Err(InvalidConfig::NoIssuer);
        }
        self.validate_prefixes()?;
        let mut seen = BTreeSet::new();
        let duplicate = self.issuers.iter().map(|one| &one.rules.issuer).find(|issuer| !seen.insert(*issuer));
        duplicate.map_or(Ok(()), |issuer| Err(InvalidConfig::SameIssuer { issuer: issuer.clone() }))
    }
}

impl JwtConfig {
    /// Checks that no two issuers can name the same user, unless they are meant to: with several issuers of other
    /// parties, each has a prefix, and none begins with another.
    fn validate_prefixes(&self) -> Result<(), InvalidConfig> {
        if self.shared_user_ids {
            return Ok(());
        }
        let mut external: Vec<_> = self.external().map(|issuer| &issuer.rules).collect();
        if external.len() > 1
            && let Some(rules) = external.iter().find(|rules| rules.user_prefix.is_empty())
        {
            return Err(InvalidConfig::NoPrefix { issuer: rules.issuer.clone() });
        }
        external.sort_by(|a, b| a.user_prefix.cmp(&b.user_prefix));
        let overlap = external.windows(2).find(|pair| match pair {
            [first, second] => second.user_prefix.starts_with(&first.user_prefix),
            _ => false,
        });
        overlap
            .and_then(|pair| pair.first())
            .map_or(Ok(()), |first| Err(InvalidConfig::SamePrefix { prefix: first.user_prefix.clone() }))
    }

    /// Returns the issuers of other parties. The keys of the gateway's own are known.
    pub(crate) fn external(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.issuers.iter().filter(|issuer| !matches!(issuer.keys, JwtKeys::Fixed(_)))
    }

    /// Returns an issuer of another party whose users may have the ids of the gateway's own users.
    pub fn issuer_without_prefix(&self) -> Option<&TrustedIssuer> {
        self.external().find(|issuer| issuer.rules.user_prefix.is_empty()).filter(|_| !self.shared_user_ids)
    }

    /// Logs a warning for each dangerous setting.
    pub(crate) fn warn(&self) {
        for TrustedIssuer { rules, .. } in self.external() {
            let issuer = rules.issuer.as_deref().unwrap_or("none");
            if rules.audiences.is_empty() {
                tracing::warn!(
                    issuer,
                    "no audiences are set: a token of this issuer for any application is good"
                );
            }
            if !rules.require_exp {
                tracing::warn!(
                    issuer,
                    "tokens of this issuer may be without exp: such a token is good for ever"
                );
            }
        }
        if self.shared_user_ids && self.external().count() > 0 {
            tracing::warn!("shared_user_ids is on: each issuer can name every user");
        }
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
        let rs = |issuer: &str| json!({"issuer": issuer, "algorithm": "RS256", "audiences": ["a"]});
        assert_eq!(url(rs(issuer)), well_known);
        assert_eq!(url(rs(&format!("{issuer}/"))), well_known);
        let other = "http://localhost:4566/a/.well-known/jwks.json";
        let es = json!({"issuer": issuer, "algorithm": "ES256", "jwks_url": other, "any_audience": true});
        assert_eq!(url(es), other);
    }

    #[test]
    fn key_set_url_has_tls_or_is_local() {
        let at = |url: &str, allow: bool| {
            trusted(json!({
                "issuer": "i", "algorithm": "EdDSA", "jwks_url": url, "allow_http": allow, "audiences": ["a"],
            }))
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
    fn issuer_with_public_keys_needs_audiences() {
        let with = |more: serde_json::Value| {
            let mut config = json!({"issuer": "https://i", "algorithm": "RS256"});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            trusted(config)
        };
        assert_eq!(with(json!({})), Err(InvalidIssuer::NoAudience));
        assert!(with(json!({"audiences": ["a"]})).is_ok());
        assert!(with(json!({"any_audience": true})).unwrap().rules.audiences.is_empty());
        assert_eq!(with(json!({"audiences": ["a"], "any_audience": true})), Err(InvalidIssuer::Audiences));
        assert!(trusted(json!({"algorithm": "HS256", "secret": "s"})).is_ok());
    }

    #[test]
    fn prefix_leaves_user_ids_legal() {
        let with =
            |prefix: &str| trusted(json!({"algorithm": "HS256", "secret": "s", "user_prefix": prefix}));
        for good in ["", "corp:", "a-", &"x".repeat(32)] {
            assert_eq!(with(good).unwrap().rules.user_prefix, good);
        }
        for bad in ["a b", "é", "u8:", "guest-", "guest-x", &"x".repeat(33)] {
            assert_eq!(with(bad), Err(InvalidIssuer::Prefix { found: bad.to_owned() }));
        }
    }

    #[test]
    fn several_issuers_need_distinct_prefixes() {
        let check = |prefixes: &[&str], shared_user_ids| {
            let issuer = |(index, prefix): (usize, &&str)| {
                let name = format!("i{index}");
                trusted(json!({"issuer": name, "algorithm": "HS256", "secret": "s", "user_prefix": prefix}))
                    .unwrap()
            };
            let issuers = prefixes.iter().enumerate().map(issuer).collect();
            JwtConfig { issuers, shared_user_ids, ..JwtConfig::default() }.validate(true)
        };
        assert_eq!(check(&[""], false), Ok(()));
        assert_eq!(check(&["b:", "a:"], false), Ok(()));
        let missing = InvalidConfig::NoPrefix { issuer: Some("i1".to_owned()) };
        assert_eq!(check(&["a:", ""], false), Err(missing));
        for same in [["a:", "a:"], ["a:b:", "a:"]] {
            assert_eq!(check(&same, false), Err(InvalidConfig::SamePrefix { prefix: "a:".to_owned() }));
        }
        assert_eq!(check(&["", ""], true), Ok(()));
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
