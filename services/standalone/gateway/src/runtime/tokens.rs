//! Issues connect tokens.

use std::sync::Arc;

use auth_token::{IssueError, IssuedToken, Issuer, Subject, VerifiedJwt};
use shared_ports::{Clock as _, SystemClock};
use tidings_identity::cipher::LocalCipher;
use tidings_identity::jwt::JwtIssuer;
use tidings_identity::tokens::MemoryTokens;

use crate::server::{AuthError, Tokens};

/// Connect tokens in memory, for the users of this server's own JSON Web Tokens.
pub struct ConnectTokens {
    pub(super) issuer: Issuer<LocalCipher, MemoryTokens<SystemClock>, SystemClock>,
    pub(super) jwt: Arc<JwtIssuer>,
}

impl Tokens for ConnectTokens {
    fn verify_user(&self, jwt: &str) -> Result<Subject, AuthError> {
        let verified = self.jwt.verify(jwt, SystemClock.now());
        let VerifiedJwt { user_id, username, hubs, .. } =
            verified.map_err(|error| AuthError::Refused(format!("the ID token is refused: {error}")))?;
        Ok(Subject { user_id, username: username.unwrap_or_default(), hubs })
    }

    async fn issue_token(&self, subject: Subject) -> Result<IssuedToken, IssueError> {
        self.issuer.issue(subject).await
    }
}
