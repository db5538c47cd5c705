//! Issues connect tokens.

use std::sync::Arc;

use auth_token::{Authorizer, IssueError, IssuedToken, Issuer, Reason, Subject, VerifiedJwt};
use shared_ports::SystemClock;
use tidings_identity::cipher::LocalCipher;
use tidings_identity::tokens::MemoryTokens;

use super::client_edge::HandshakePorts;
use crate::server::{AuthError, Tokens};

/// Connect tokens in memory, for the users of JSON Web Tokens: this server's own, and those of the issuers that
/// handshakes trust.
pub struct ConnectTokens {
    pub(super) issuer: Issuer<LocalCipher, MemoryTokens<SystemClock>, SystemClock>,
    pub(super) authorizer: Arc<Authorizer<HandshakePorts>>,
    /// The table of the issuer.
    pub(super) unused: MemoryTokens<SystemClock>,
}

impl Tokens for ConnectTokens {
    async fn verify_user(&self, jwt: &str) -> Result<Subject, AuthError> {
        let VerifiedJwt { user_id, username, hubs, expires_at, id, .. } =
            self.authorizer.verify_jwt(jwt).await.map_err(|reason| match reason {
                Reason::Jwt(invalid) => AuthError::Refused(format!("the ID token is refused: {invalid}")),
                revoked @ Reason::Revoked(_) => {
                    AuthError::Refused(format!("the ID token is refused: {revoked}"))
                }
                other => AuthError::Unavailable(other.into()),
            })?;
        let username = username.unwrap_or_default();
        Ok(Subject {
            user_id,
            username,
            hubs,
            credential_expires_at: expires_at,
            source_key: None,
            source_token: id,
        })
    }

    fn unused(&self) -> (usize, usize) {
        (self.unused.live(), self.unused.capacity())
    }

    async fn issue_token(&self, subject: Subject) -> Result<IssuedToken, IssueError> {
        self.issuer.issue(subject).await
    }
}
