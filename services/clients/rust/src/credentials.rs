//! Credentials for a listener's handshakes.
//!
//! A connect token is good for one handshake, so a listener asks for a new credential each time it connects.

use std::fmt;
use std::future::Future;

use contract_notifications_v1::UserId;
use tokio::sync::Mutex;

use super::error::ClientError;
use super::gateway::Gateway;

/// A credential for one handshake.
#[derive(Clone)]
pub enum Credential {
    /// A single-use connect token or a JSON Web Token. The gateway recognises which it is.
    Token(String),
    /// An unproven user name, where the gateway allows it.
    ClientId(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(..)",
            Self::ClientId(_) => "ClientId(..)",
        })
    }
}

/// A source of credentials, one for each handshake.
///
/// Implemented by closures that return a future of a credential.
pub trait Credentials: Send + Sync {
    /// Returns a credential for the next handshake.
    fn credential(&self) -> impl Future<Output = Result<Credential, ClientError>> + Send;
}

impl<F, R> Credentials for F
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<Credential, ClientError>> + Send,
{
    async fn credential(&self) -> Result<Credential, ClientError> {
        self().await
    }
}

/// Connect tokens for any user, obtained with the gateway's API key.
#[derive(Debug, Clone)]
pub struct ApiKeyCredentials {
    gateway: Gateway,
    user: UserId,
}

impl ApiKeyCredentials {
    /// Returns a source of tokens for `user` from a gateway with an API key.
    ///
    /// Requests are not retried here, because the listener retries the handshake.
    pub fn new(gateway: Gateway, user: UserId) -> Self {
        Self { gateway: gateway.with_attempts(1), user }
    }
}

impl Credentials for ApiKeyCredentials {
    async fn credential(&self) -> Result<Credential, ClientError> {
        Ok(Credential::Token(self.gateway.token(&self.user).await?.token))
    }
}

/// Connect tokens for the subject of a JSON Web Token.
#[derive(Clone)]
pub struct JwtCredentials {
    gateway: Gateway,
    jwt: String,
}

impl JwtCredentials {
    /// Returns a source of tokens that are exchanged for `jwt`.
    pub fn new(gateway: Gateway, jwt: impl Into<String>) -> Self {
        Self { gateway: gateway.with_attempts(1), jwt: jwt.into() }
    }
}

impl Credentials for JwtCredentials {
    async fn credential(&self) -> Result<Credential, ClientError> {
        Ok(Credential::Token(self.gateway.token_by_jwt(&self.jwt).await?.token))
    }
}

/// Connect tokens for a user with a password. Logs in again when the login has expired.
pub struct LoginCredentials {
    gateway: Gateway,
    username: String,
    password: String,
    jwt: Mutex<Option<String>>,
}

impl LoginCredentials {
    /// Returns a source of tokens for the user `username`.
    pub fn new(gateway: Gateway, username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            gateway: gateway.with_attempts(1),
            username: username.into(),
            password: password.into(),
            jwt: Mutex::new(None),
        }
    }
}

impl Credentials for LoginCredentials {
    async fn credential(&self) -> Result<Credential, ClientError> {
        // Taken out, so that no lock is held during the request.
        let cached = self.jwt.lock().await.take();
        if let Some(jwt) = cached {
            match self.gateway.token_by_jwt(&jwt).await {
                Err(ClientError::Unauthorised(_)) => {}
                other => {
                    *self.jwt.lock().await = Some(jwt);
                    return Ok(Credential::Token(other?.token));
                }
            }
        }
        let login = self.gateway.login(&self.username, &self.password).await?;
        let token = self.gateway.token_by_jwt(&login.id_token).await?;
        *self.jwt.lock().await = Some(login.id_token);
        Ok(Credential::Token(token.token))
    }
}
