//! Decides handshakes.

use contract_identity_v1::{Method, Principal};
use metrics::counter;
use shared_ports::Clock;

use crate::config::AuthorizerConfig;
use crate::core::credential::{Credential, select};
use crate::core::handshake::Handshake;
use crate::core::refusal::{Reason, Refusal, Status};
use crate::methods::{open, token};
use crate::ports::{TokenCipher, TokenStore};

/// Decides handshakes by the methods switched on.
///
/// Counts `tidings_handshakes_accepted_total` by `method` and `tidings_handshakes_refused_total` by
/// `reason`.
#[derive(Debug)]
pub struct Authorizer<C, S, K> {
    cipher: C,
    store: S,
    clock: K,
    config: AuthorizerConfig,
}

impl<C: TokenCipher, S: TokenStore, K: Clock> Authorizer<C, S, K> {
    /// An authorizer over its ports. Warns in the log when handshakes are taken at their word.
    pub fn new(cipher: C, store: S, clock: K, config: AuthorizerConfig) -> Self {
        if config.methods.open {
            tracing::warn!("the open method is on: anyone may connect as any user with ?client_id=");
        }
        Self { cipher, store, clock, config }
    }

    /// Decides one handshake. A connect token is used up by it, whatever the outcome.
    ///
    /// # Errors
    /// [`Refusal`]: 401 without a credential, 403 for a bad one, 500 when a port failed.
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
        match select(handshake, self.config.methods)? {
            Credential::Token(token) => {
                token::authorize(token, &self.config, &self.cipher, &self.store, &self.clock).await
            }
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
