//! Decides handshakes.

use contract_identity_v1::{Method, Principal};
use metrics::counter;
use shared_ports::Clock;

use crate::config::AuthorizerConfig;
use crate::core::credential::{Credential, select};
use crate::core::handshake::Handshake;
use crate::core::refusal::{Reason, Refusal, Status};
use crate::methods::hmac::Hmac;
use crate::methods::jwt::Jwt;
use crate::methods::{open, token};
use crate::ports::{KeySets, Secrets, TokenCipher, TokenStore};

/// What an authorizer needs of the world.
#[derive(Debug, Clone)]
pub struct Ports<C, S, J, V, K> {
    /// Of connect tokens.
    pub cipher: C,
    /// Unused connect tokens, and signatures that were used.
    pub store: S,
    /// Issuers' keys.
    pub key_sets: J,
    /// Shared secrets.
    pub secrets: V,
    /// The time.
    pub clock: K,
}

/// Decides handshakes by the methods switched on.
///
/// Counts `tidings_handshakes_accepted_total` by `method`, `tidings_handshakes_refused_total` by `reason`, and
/// `tidings_handshake_fetches_total`, of key sets and secrets, by `outcome`.
#[derive(Debug)]
pub struct Authorizer<C, S, J, V, K> {
    ports: Ports<C, S, J, V, K>,
    config: AuthorizerConfig,
    jwt: Jwt,
    hmac: Hmac,
}

impl<C: TokenCipher, S: TokenStore, J: KeySets, V: Secrets, K: Clock> Authorizer<C, S, J, V, K> {
    /// An authorizer over its ports. Nothing is fetched before a handshake needs it. Warns in the log of what is
    /// dangerous in the configuration.
    pub fn new(ports: Ports<C, S, J, V, K>, config: AuthorizerConfig) -> Self {
        if config.methods.open {
            tracing::warn!("the open method is on: anyone may connect as any user with ?client_id=");
        }
        if config.methods.hmac && config.hmac.allow_replay {
            tracing::warn!("signed handshakes may be replayed: who sees one can repeat it for five minutes");
        }
        if config.methods.jwt && config.allowed_origins.is_empty() {
            tracing::info!("no origins are allowed, so JSON Web Tokens in cookies are not accepted");
        }
        let (jwt, hmac) = (Jwt::new(&config.jwt), Hmac::new(config.hmac.clone()));
        Self { ports, config, jwt, hmac }
    }

    /// Decides one handshake. A connect token is used up by it, whatever the outcome, and a
    /// signature once it is found good.
    ///
    /// # Errors
    /// [`Refusal`]: 401 without a credential, 400 for half a one, 403 for a bad one, 500 when a port failed.
    pub async fn authorize(&self, handshake: &Handshake) -> Result<Principal, Refusal> {
        match self.decide(handshake).await {
            Ok(principal) => {
                let method = label(principal.method);
                counter!("tidings_handshakes_accepted_total", "method" => method).increment(1);
                Ok(principal)
            }
            Err(reason) => {
                counter!("tidings_handshakes_refused_total", "reason" => reason.label()).increment(1);
                if reason.status() == Status::InternalServerError {
                    let error = shared_telemetry::chain(&reason);
                    tracing::error!(error, "a handshake could not be decided");
                } else {
                    tracing::debug!(%reason, "handshake refused");
                }
                Err(reason.into())
            }
        }
    }

    async fn decide(&self, handshake: &Handshake) -> Result<Principal, Reason> {
        let Ports { cipher, store, key_sets, secrets, clock } = &self.ports;
        match select(handshake, &self.config)? {
            Credential::Token(token) => token::authorize(token, &self.config, cipher, store, clock).await,
            Credential::Jwt(token) => self.jwt.authorize(token, key_sets, secrets, clock).await,
            Credential::Hmac(headers) => self.hmac.authorize(headers, secrets, store, clock).await,
            Credential::Open(client_id) => open::authorize(client_id),
        }
    }
}

const fn label(method: Method) -> &'static str {
    match method {
        Method::Token => "token",
        Method::Jwt => "jwt",
        Method::Hmac => "hmac",
        Method::Open => "open",
    }
}
