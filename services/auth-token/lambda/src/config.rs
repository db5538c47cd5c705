//! The functions' configurations, read from environment variables.

use auth_token::{HmacConfig, InvalidConfig, JwtConfig, JwtIssuerConfig, Methods, TrustedIssuer};
use contract_deployment_v1::{AUTH_TOKEN_AUTHORIZER, AUTH_TOKEN_ISSUER, variables};
use shared_aws::{ConfigError, Environment, RunConfig};

/// Configuration of the issuer's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Settings of every function.
    pub run: RunConfig,
    /// Name of the table of unused tokens.
    pub tokens_table: String,
    /// Id, ARN or alias of the KMS key.
    pub key: String,
    /// Names of the claims in the caller's ID token that list hubs.
    pub hubs_claims: Vec<String>,
    /// Text before the caller's subject that makes the user id.
    pub user_prefix: String,
    /// Settings of the issuer.
    pub issuer: auth_token::IssuerConfig,
}

impl IssuerConfig {
    /// Reads the configuration. `lookup` returns the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] with all problems found.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&AUTH_TOKEN_ISSUER, lookup);
        let config = Self {
            run: RunConfig::read(&AUTH_TOKEN_ISSUER, &mut env),
            tokens_table: env.get(&variables::TOKENS_TABLE),
            key: env.get(&variables::TOKEN_KEY),
            hubs_claims: env.get_with(&variables::HUBS_CLAIMS, "names with commas between", |text| {
                Some(text.split(',').map(|name| name.trim().to_owned()).collect())
            }),
            user_prefix: env.get_with(&variables::USER_PREFIX, "a text", text),
            issuer: auth_token::IssuerConfig {
                issuer: env.get(&variables::TOKEN_ISSUER),
                audience: env.get(&variables::TOKEN_AUDIENCE),
                lifetime: env.get(&variables::TOKEN_LIFETIME),
            },
        };
        env.finish(config)
    }
}

/// Configuration of the authorizer's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizerConfig {
    /// Settings of every function.
    pub run: RunConfig,
    /// Name of the table of unused tokens.
    pub tokens_table: String,
    /// Id, ARN or alias of the KMS key.
    pub key: String,
    /// Settings of the authorizer.
    pub authorizer: auth_token::AuthorizerConfig,
}

impl AuthorizerConfig {
    /// Reads the configuration. `lookup` returns the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] with all problems found.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&AUTH_TOKEN_AUTHORIZER, lookup);
        let config = Self {
            run: RunConfig::read(&AUTH_TOKEN_AUTHORIZER, &mut env),
            tokens_table: env.get(&variables::TOKENS_TABLE),
            key: env.get(&variables::TOKEN_KEY),
            authorizer: authorizer(&mut env),
        };
        env.finish(config)
    }
}

fn authorizer(env: &mut Environment<'_>) -> auth_token::AuthorizerConfig {
    let secret = env.get_with(&variables::JWT_SECRET, "a name or an ARN", text);
    let config = auth_token::AuthorizerConfig {
        issuer: env.get(&variables::TOKEN_ISSUER),
        audience: env.get(&variables::TOKEN_AUDIENCE),
        methods: env.get_with(
            &variables::AUTH_METHODS,
            "token, jwt, hmac or open, or several with commas between",
            methods,
        ),
        allowed_origins: env.get_with(&variables::ALLOWED_ORIGINS, "a list with commas between", list),
        jwt: JwtConfig {
            issuers: env.get_with(
                &variables::JWT_ISSUERS,
                "a list in JSON of issuers, each with an algorithm, with an issuer or a secret, and with audiences",
                |json| issuers(json, &secret),
            ),
            cookie_names: env.get_with(&variables::JWT_COOKIES, "a list with commas between", list),
            shared_user_ids: env.get_with(&variables::SHARED_USER_IDS, "refuse or allow", allowed),
            ..JwtConfig::default()
        },
        hmac: HmacConfig {
            secret: env.get_with(&variables::HMAC_SECRET, "a name or an ARN", text),
            allow_replay: env.get_with(&variables::HMAC_REPLAY, "refuse or allow", allowed),
            ..HmacConfig::default()
        },
    };
    // A problem found above can also make the whole invalid. It is reported only once.
    if env.problems().is_empty()
        && let Err(error) = config.validate()
    {
        let (variable, expected) = match error {
            InvalidConfig::NoMethod => (variables::AUTH_METHODS, "at least one method"),
            InvalidConfig::Origin { .. } => {
                (variables::ALLOWED_ORIGINS, "origins as https://app.example.com, without a path")
            }
            InvalidConfig::CookieName { .. } => (variables::JWT_COOKIES, "names that cookies can have"),
            InvalidConfig::NoIssuer => (variables::JWT_ISSUERS, "at least one issuer, for the method jwt"),
            InvalidConfig::SameIssuer { .. } => (variables::JWT_ISSUERS, "issuers with different `issuer`s"),
            InvalidConfig::NoPrefix { .. } | InvalidConfig::SamePrefix { .. } => (
                variables::JWT_ISSUERS,
                "a `user_prefix` for each of several issuers, none of which begins with another",
            ),
            InvalidConfig::NoSecret => (variables::HMAC_SECRET, "the name of a secret, for the method hmac"),
        };
        env.refuse(&variable, expected);
    }
    config
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a variable's parser")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Parses a list separated by commas.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a variable's parser")]
fn list(text: &str) -> Option<Vec<String>> {
    Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// Parses a list of methods; `None` if one is unknown.
fn methods(list: &str) -> Option<Methods> {
    let mut methods = Methods::NONE;
    for name in list.split(',') {
        let method = match name.trim() {
            "token" => &mut methods.token,
            "jwt" => &mut methods.jwt,
            "hmac" => &mut methods.hmac,
            "open" => &mut methods.open,
            _ => return None,
        };
        *method = true;
    }
    Some(methods)
}

fn allowed(word: &str) -> Option<bool> {
    match word {
        "refuse" => Some(false),
        "allow" => Some(true),
        _ => None,
    }
}

/// Parses a JSON list of issuers. Issuers that need a secret and name none get the deployment's.
fn issuers(json: &str, secret: &str) -> Option<Vec<TrustedIssuer>> {
    let configs: Vec<JwtIssuerConfig> = serde_json::from_str(json).ok()?;
    configs.into_iter().map(|config| config.with_default_secret(secret).try_into().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = r#"[{"issuer":"https://i.example","algorithm":"RS256","audiences":["a"]}]"#;

    fn read(set: &[(&str, &str)]) -> Result<auth_token::AuthorizerConfig, ConfigError> {
        let lookup = |name: &str| {
            let found = set.iter().find(|(key, _)| format!("TIDINGS_{key}") == name);
            found.map(|(_, value)| (*value).to_owned()).or_else(|| required(name))
        };
        AuthorizerConfig::read(&lookup).map(|config| config.authorizer)
    }

    fn required(name: &str) -> Option<String> {
        (name.ends_with("_TABLE") || name.ends_with("_KEY")).then(|| name.to_lowercase())
    }

    #[test]
    fn defaults_of_the_contract_match_the_service() {
        let config = IssuerConfig::read(&required).unwrap();
        // The contract's defaults are the service's own.
        assert_eq!(config.issuer, auth_token::IssuerConfig::new("tidings", "tidings"));
        let config = AuthorizerConfig::read(&required).unwrap();
        assert_eq!(config.authorizer, auth_token::AuthorizerConfig::new("tidings", "tidings"));
        assert_eq!(IssuerConfig::read(&|_| None).unwrap_err().problems().len(), 2);
        assert_eq!(AuthorizerConfig::read(&|_| None).unwrap_err().problems().len(), 2);
    }

    #[test]
    fn methods_are_enabled_by_name() {
        let read = |list: &str| read(&[("AUTH_METHODS", list)]).map(|config| config.methods);
        assert_eq!(read("open, token"), Ok(Methods { token: true, open: true, ..Methods::NONE }));
        assert_eq!(read("open"), Ok(Methods { open: true, ..Methods::NONE }));
        assert!(read("password").unwrap_err().to_string().contains("\"password\""));
    }

    #[test]
    fn issuers_and_secrets_are_read() {
        let config = read(&[
            ("AUTH_METHODS", "token,jwt,hmac"),
            ("JWT_ISSUERS", ISSUER),
            ("JWT_COOKIES", "session, auth"),
            ("ALLOWED_ORIGINS", "https://a.example,http://localhost:8080"),
            ("HMAC_SECRET", "arn:hmac"),
            ("HMAC_REPLAY", "allow"),
        ])
        .unwrap();
        assert_eq!(config.methods, Methods { open: false, token: true, jwt: true, hmac: true });
        assert_eq!(config.jwt.issuers[0].rules.issuer.as_deref(), Some("https://i.example"));
        assert_eq!(config.jwt.cookie_names, ["session", "auth"]);
        assert_eq!(config.allowed_origins, ["https://a.example", "http://localhost:8080"]);
        assert!(config.hmac.allow_replay && config.hmac.secret == "arn:hmac");
        let shared = r#"[{"algorithm":"HS256"},{"issuer":"i","algorithm":"HS256","secret":"own"}]"#;
        let with = |more: &[_]| {
            let set = [("AUTH_METHODS", "jwt"), ("JWT_ISSUERS", shared), ("JWT_SECRET", "arn:jwt")];
            read(&[set.as_slice(), more].concat())
        };
        assert!(with(&[]).unwrap_err().to_string().contains("`user_prefix`"));
        assert_eq!(with(&[("SHARED_USER_IDS", "allow")]).unwrap().secrets(), ["arn:jwt", "own"]);
    }

    #[test]
    fn each_error_names_the_variable() {
        for (set, variable, word) in [
            (vec![("AUTH_METHODS", "jwt")], "TIDINGS_JWT_ISSUERS", "at least one issuer"),
            (vec![("AUTH_METHODS", "hmac")], "TIDINGS_HMAC_SECRET", "the name of a secret"),
            (vec![("JWT_ISSUERS", "https://i.example")], "TIDINGS_JWT_ISSUERS", "in JSON"),
            (
                vec![("JWT_ISSUERS", r#"[{"issuer":"https://i","algorithm":"RS256"}]"#)],
                "TIDINGS_JWT_ISSUERS",
                "audiences",
            ),
            (vec![("JWT_ISSUERS", r#"[{"algorithm":"HS256"}]"#)], "TIDINGS_JWT_ISSUERS", "a secret"),
            (
                vec![("JWT_ISSUERS", r#"[{"issuer":"https://i","algorithm":"none"}]"#)],
                "TIDINGS_JWT_ISSUERS",
                "JSON",
            ),
            (vec![("ALLOWED_ORIGINS", "a.example")], "TIDINGS_ALLOWED_ORIGINS", "without a path"),
            (vec![("JWT_COOKIES", "a b")], "TIDINGS_JWT_COOKIES", "cookies"),
            (vec![("HMAC_REPLAY", "yes")], "TIDINGS_HMAC_REPLAY", "refuse or allow"),
        ] {
            let error = read(&set).unwrap_err();
            let text = error.to_string();
            assert!(error.problems().len() == 1 && text.contains(variable) && text.contains(word), "{text}");
        }
    }
}
