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

/// Most bytes of claims: with room for the cipher's envelope and for base64, which adds a third, the token
/// stays within [`MAX_CREDENTIAL_BYTES`].
const MAX_CLAIMS_BYTES: usize = 2 * 1024;

/// Whom a token is issued to. The caller has authenticated them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The user the token connects.
    pub user_id: UserId,
    /// The user's name for people; may be empty.
    pub username: String,
    /// Hubs the connection joins.
    pub hubs: Vec<String>,
}

/// A new token. Its `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// What the client presents in its handshake, once: base64url without padding, at most
    /// [`MAX_CREDENTIAL_BYTES`].
    pub token: String,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Username and hubs together are too long for a token.
    #[error(
        "the claims have {bytes} bytes; allowed are {MAX_CLAIMS_BYTES}: shorten the username or the hubs"
    )]
    TooLarge {
        /// Size of the claims as JSON.
        bytes: usize,
    },
    /// The cipher's envelope makes the token too long to be accepted.
    #[error("the encrypted token has {bytes} bytes; allowed are {MAX_CREDENTIAL_BYTES}")]
    Envelope {
        /// Size of the token.
        bytes: usize,
    },
    /// The claims could not be written as JSON.
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
    /// An issuer over its ports.
    pub const fn new(cipher: C, store: S, clock: K, config: IssuerConfig) -> Self {
        Self { cipher, store, clock, config }
    }

    /// Issues a token that connects `subject` once within the configured lifetime.
    ///
    /// # Errors
    /// [`IssueError`]; then no token is good.
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
        };
        let plaintext = serde_json::to_vec(&claims).map_err(IssueError::Claims)?;
        if plaintext.len() > MAX_CLAIMS_BYTES {
            return Err(IssueError::TooLarge { bytes: plaintext.len() });
        }
        let context = EncryptionContext::connect(&self.config.issuer, &self.config.audience);
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
