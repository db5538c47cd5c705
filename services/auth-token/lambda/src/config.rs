//! The functions' configurations.

use auth_token::Methods;
use contract_deployment_v1::{AUTH_TOKEN_AUTHORIZER, AUTH_TOKEN_ISSUER, variables};
use shared_aws::{ConfigError, Environment, RunConfig};

/// What the environment of the issuer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// What every function needs.
    pub run: RunConfig,
    /// Name of the table of unused tokens.
    pub tokens_table: String,
    /// The KMS key.
    pub key: String,
    /// How tokens are issued.
    pub issuer: auth_token::IssuerConfig,
}

impl IssuerConfig {
    /// Reads the environment, whose variables `lookup` gives.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&AUTH_TOKEN_ISSUER, lookup);
        let config = Self {
            run: RunConfig::read(&AUTH_TOKEN_ISSUER, &mut env),
            tokens_table: env.get(&variables::TOKENS_TABLE),
            key: env.get(&variables::TOKEN_KEY),
            issuer: auth_token::IssuerConfig {
                issuer: env.get(&variables::TOKEN_ISSUER),
                audience: env.get(&variables::TOKEN_AUDIENCE),
                lifetime: env.get(&variables::TOKEN_LIFETIME),
            },
        };
        env.finish(config)
    }
}

/// What the environment of the authorizer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizerConfig {
    /// What every function needs.
    pub run: RunConfig,
    /// Name of the table of unused tokens.
    pub tokens_table: String,
    /// The KMS key.
    pub key: String,
    /// How handshakes are decided.
    pub authorizer: auth_token::AuthorizerConfig,
}

impl AuthorizerConfig {
    /// Reads the environment, whose variables `lookup` gives.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&AUTH_TOKEN_AUTHORIZER, lookup);
        let config = Self {
            run: RunConfig::read(&AUTH_TOKEN_AUTHORIZER, &mut env),
            tokens_table: env.get(&variables::TOKENS_TABLE),
            key: env.get(&variables::TOKEN_KEY),
            authorizer: auth_token::AuthorizerConfig {
                issuer: env.get(&variables::TOKEN_ISSUER),
                audience: env.get(&variables::TOKEN_AUDIENCE),
                methods: env.get_with(
                    &variables::AUTH_METHODS,
                    "token or open, or both with a comma between",
                    methods,
                ),
            },
        };
        env.finish(config)
    }
}

/// The methods of a list with commas; `None` when one is unknown.
fn methods(list: &str) -> Option<Methods> {
    let mut methods = Methods { token: false, open: false };
    for name in list.split(',') {
        match name.trim() {
            "token" => methods.token = true,
            "open" => methods.open = true,
            _ => return None,
        }
    }
    Some(methods)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(name: &str) -> Option<String> {
        (name.ends_with("_TABLE") || name.ends_with("_KEY")).then(|| name.to_lowercase())
    }

    #[test]
    fn the_environments_are_read_as_declared() {
        let config = IssuerConfig::read(&required).unwrap();
        // The contract's defaults are the service's own.
        assert_eq!(config.issuer, auth_token::IssuerConfig::new("tidings", "tidings"));
        let config = AuthorizerConfig::read(&required).unwrap();
        assert_eq!(config.authorizer, auth_token::AuthorizerConfig::new("tidings", "tidings"));
        assert_eq!(IssuerConfig::read(&|_| None).unwrap_err().problems().len(), 2);
        assert_eq!(AuthorizerConfig::read(&|_| None).unwrap_err().problems().len(), 2);
    }

    #[test]
    fn methods_are_switched_by_name() {
        let read = |list: &'static str| {
            let lookup = move |name: &str| match name {
                "TIDINGS_AUTH_METHODS" => Some(list.to_owned()),
                other => required(other),
            };
            AuthorizerConfig::read(&lookup).map(|config| config.authorizer.methods)
        };
        assert_eq!(read("open, token"), Ok(Methods { token: true, open: true }));
        assert_eq!(read("open"), Ok(Methods { token: false, open: true }));
        assert!(read("password").unwrap_err().to_string().contains("\"password\""));
    }
}
