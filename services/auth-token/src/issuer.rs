//! Issues connect tokens.

use std::fmt;

use contract_identity_v1::{ConnectClaims, TokenRow};
use contract_notifications_v1::{Timestamp, UserId, Version1};
use metrics::counter;
use shared_ports::{Clock, PortError};
use uuid::Uuid;

use crate::config::IssuerConfig;
use crate::core::token::{self, MAX_CREDENTIAL_BYTES};
use crate::ports::{EncryptionContext, TokenCipher, TokenStore};

/// Largest size of the claims, in bytes. It leaves room for the cipher's envelope and for base64, which adds
/// a third, so that the token stays within [`MAX_CREDENTIAL_BYTES`].
const MAX_CLAIMS_BYTES: usize = 2 * 1024;

/// The user that a token is issued to. The caller has authenticated them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The user that the token connects.
    pub user_id: UserId,
    /// The user's display name; may be empty.
    pub username: String,
    /// Hubs that the connection joins.
    pub hubs: Vec<String>,
    /// Time at which the credential of the caller expires, if it does. The connection ends with it.
    pub credential_expires_at: Option<Timestamp>,
    /// Id of the key with which the caller has authenticated, if there is one. The connection ends with it.
    pub source_key: Option<String>,
    /// Id (`jti`) of the JSON Web Token with which the caller has authenticated, if there is one. The connection ends when
    /// it is revoked.
    pub source_token: Option<String>,
}

/// A new token. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The credential for one handshake: base64url without padding, at most [`MAX_CREDENTIAL_BYTES`] long.
    pub token: String,
    /// Time from which it is refused.
    pub expires_at: Timestamp,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Errors of issuing a token.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The username and the hubs are too long for a token.
    #[error(
        "the claims have {bytes} bytes; allowed are at most {MAX_CLAIMS_BYTES}; shorten the username or the hubs"
    )]
    TooLarge {
        /// Size of the claims as JSON, in bytes.
        bytes: usize,
    },
    /// The token is too long because of the cipher's envelope.
    #[error("the encrypted token has {bytes} bytes; allowed are at most {MAX_CREDENTIAL_BYTES}")]
    Envelope {
        /// Size of the token, in bytes.
        bytes: usize,
    },
    /// The claims could not be serialized.
    #[error("the claims could not be serialized")]
    Claims(#[source] serde_json::Error),
    /// The cipher or the table failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Issues single-use tokens. Counts `tidings_tokens_issued_total`.
#[derive(Debug)]
pub struct Issuer<C, S, K> {
    cipher: C,
    store: S,
    clock: K,
    config: IssuerConfig,
}

impl<C: TokenCipher, S: TokenStore, K: Clock> Issuer<C, S, K> {
    /// Creates an issuer from its adapters.
    pub const fn new(cipher: C, store: S, clock: K, config: IssuerConfig) -> Self {
        Self { cipher, store, clock, config }
    }

    /// Issues a token that connects `subject` once, within the configured lifetime.
    ///
    /// # Errors
    /// [`IssueError`]. In that case no token is valid.
    pub async fn issue(&self, subject: Subject) -> Result<IssuedToken, IssueError> {
        let issued_at = self.clock.now();
        let expires_at = issued_at.plus(self.config.lifetime);
        let claims = ConnectClaims {
            version: Version1,
            iss: self.config.issuer.clone(),
            aud: self.config.audience.clone(),
            sub: subject.user_id,
            username: subject.username,
            iat: issued_at,
            exp: expires_at,
            jti: Uuid::new_v4().to_string(),
            hubs: subject.hubs,
            source_exp: subject.credential_expires_at,
            source_key: subject.source_key,
            source_token: subject.source_token,
        };
        let plaintext = serde_json::to_vec(&claims).map_err(IssueError::Claims)?;
        if plaintext.len() > MAX_CLAIMS_BYTES {
            return Err(IssueError::TooLarge { bytes: plaintext.len() });
        }
        let context = EncryptionContext::for_connect_tokens(&self.config.issuer, &self.config.audience);
        let token = token::encode(&self.cipher.encrypt(&plaintext, &context).await?);
        if token.len() > MAX_CREDENTIAL_BYTES {
            return Err(IssueError::Envelope { bytes: token.len() });
        }
        let token_hash = token::token_hash(&token);
        self.store.put(TokenRow { version: Version1, token_hash, ttl: expires_at.ttl_seconds() }).await?;
        counter!("tidings_tokens_issued_total").increment(1);
        Ok(IssuedToken { token, expires_at })
    }
}
