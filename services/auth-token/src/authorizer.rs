//! Authorizes handshakes.

use std::fmt;

use contract_frames_v1::choose_subprotocol;
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{Timestamp, UserId};
use metrics::counter;
use shared_ports::Clock;

use crate::config::AuthorizerConfig;
use crate::core::handshake::Handshake;
use crate::core::jwt::VerifiedJwt;
use crate::core::refusal::{Reason, Refusal};
use crate::core::revocation;
use crate::credential::{Credential, select};
use crate::methods::hmac::Hmac;
use crate::methods::jwt::Jwt;
use crate::methods::{Proven, open, token};
use crate::ports::{KeySets, Secrets, TokenCipher, TokenStore};

/// The types of an authorizer's adapters, one for each port.
pub trait Adapters {
    /// Cipher of connect tokens.
    type Cipher: TokenCipher;
    /// Table of unused connect tokens and of used signatures.
    type Store: TokenStore;
    /// Source of issuers' public keys.
    type KeySets: KeySets;
    /// Source of shared secrets.
    type Secrets: Secrets;
    /// Clock.
    type Clock: Clock;
}

/// The adapters of an authorizer.
#[derive(Debug, Clone)]
pub struct Ports<A: Adapters> {
    /// Cipher of connect tokens.
    pub cipher: A::Cipher,
    /// Table of unused connect tokens and of used signatures.
    pub store: A::Store,
    /// Source of issuers' public keys.
    pub key_sets: A::KeySets,
    /// Source of shared secrets.
    pub secrets: A::Secrets,
    /// Clock.
    pub clock: A::Clock,
}

/// Authorizes handshakes with the enabled methods.
///
/// Counts `tidings_handshakes_accepted_total` by `method`, `tidings_handshakes_refused_total` by `reason`, and
/// `tidings_handshake_fetches_total`, of key sets and secrets, by `outcome`.
pub struct Authorizer<A: Adapters> {
    ports: Ports<A>,
    config: AuthorizerConfig,
    jwt: Jwt,
    hmac: Hmac,
}

impl<A: Adapters> fmt::Debug for Authorizer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, jwt, hmac, ports: _ } = self;
        f.debug_struct("Authorizer")
            .field("config", config)
            .field("jwt", jwt)
            .field("hmac", hmac)
            .finish_non_exhaustive()
    }
}

impl<A: Adapters> Authorizer<A> {
    /// Creates an authorizer. It fetches nothing before a handshake needs it. Logs a warning for each
    /// dangerous setting.
    pub fn new(ports: Ports<A>, config: AuthorizerConfig) -> Self {
        if config.methods.open {
            tracing::warn!("the open method is on: anyone may connect as any user with ?client_id=");
        }
        if config.methods.hmac && config.hmac.allow_replay {
            tracing::warn!(
                "replay of signed handshakes is allowed: anyone who sees one can repeat it for five minutes"
            );
        }
        if config.methods.jwt && config.allowed_origins.is_empty() {
            tracing::info!("no origins are allowed, so JSON Web Tokens in cookies are not accepted");
        }
        config.jwt.warn();
        let (jwt, hmac) = (Jwt::new(&config.jwt), Hmac::new(config.hmac.clone()));
        Self { ports, config, jwt, hmac }
    }

    /// Decides one handshake. It uses up a connect token whatever the outcome, and a signature once it is
    /// verified; but neither if the gateway speaks no subprotocol that the client offers. The caller, who knows
    /// the request's id, [logs](Refusal::log) a refusal.
    ///
    /// # Errors
    /// [`Refusal`]: 401 without a credential, 400 for an incomplete one or for unknown subprotocols, 403 for an
    /// invalid one, 500 if a port failed.
    pub async fn authorize(&self, handshake: &Handshake) -> Result<Principal, Refusal> {
        match self.decide(handshake).await {
            Ok(principal) => {
                let method = label(principal.method);
                counter!("tidings_handshakes_accepted_total", "method" => method).increment(1);
                Ok(principal)
            }
            Err(reason) => {
                counter!("tidings_handshakes_refused_total", "reason" => reason.label()).increment(1);
                Err(reason.into())
            }
        }
    }

    /// Verifies a JSON Web Token of a trusted issuer, for the issue of a connect token. The method `jwt` need not
    /// be enabled for handshakes.
    ///
    /// # Errors
    /// [`Reason::Jwt`], [`Reason::Revoked`], or [`Reason::Unavailable`] if the issuer's keys could not be fetched.
    pub async fn verify_jwt(&self, token: &str) -> Result<VerifiedJwt, Reason> {
        let Ports { key_sets, secrets, clock, .. } = &self.ports;
        let verified = self.jwt.verify(token, key_sets, secrets, clock).await?;
        self.check(&verified.user_id, verified.issued_at, verified.id.as_deref()).await?;
        Ok(verified)
    }

    /// Checks that neither the user nor the credential is revoked.
    async fn check(
        &self,
        user: &UserId,
        issued_at: Option<Timestamp>,
        token_id: Option<&str>,
    ) -> Result<(), Reason> {
        let revocation = self.ports.store.revocation(user, token_id).await?;
        Ok(revocation::check(&revocation, issued_at, self.ports.clock.now())?)
    }

    async fn decide(&self, handshake: &Handshake) -> Result<Principal, Reason> {
        let Ports { cipher, store, key_sets, secrets, clock } = &self.ports;
        // Before the credential is used up: a client that gets no subprotocol of its own drops the connection.
        choose_subprotocol(&handshake.subprotocols)?;
        let proven = match select(handshake, &self.config)? {
            Credential::Token(token) => token::authorize(token, &self.config, cipher, store, clock).await,
            Credential::Jwt(token) => self.jwt.authorize(token, key_sets, secrets, clock).await,
            Credential::Hmac(headers) => self.hmac.authorize(headers, secrets, store, clock).await,
            Credential::Open(client_id) => open::authorize(client_id, clock.now()),
        };
        let Proven { principal, issued_at, token_id } = proven?;
        self.check(&principal.user_id, issued_at, token_id.as_deref()).await?;
        Ok(principal)
    }
}

const fn label(method: AuthenticationMethod) -> &'static str {
    match method {
        AuthenticationMethod::Token => "token",
        AuthenticationMethod::Jwt => "jwt",
        AuthenticationMethod::Hmac => "hmac",
        AuthenticationMethod::Open => "open",
    }
}
