//! Where a listener gets the credential for its next handshake.

use std::fmt;
use std::future::Future;

use contract_notifications_v1::UserId;
use tokio::sync::Mutex;

use super::error::ClientError;
use super::gateway::Gateway;

/// What a handshake is made with.
#[derive(Clone)]
pub enum Credential {
    /// A single-use connect token, or a JSON Web Token: the gateway tells them apart.
    Token(String),
    /// A name taken on trust, where a gateway allows it.
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

/// Gives the credential of each handshake. Tokens can be used once, so it is asked every time.
pub trait Credentials: Send + Sync {
    /// A credential for one handshake, now.
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

/// Tokens for any user, by the gateway's API key.
#[derive(Debug, Clone)]
pub struct ApiKeyCredentials {
    gateway: Gateway,
    user: UserId,
}

impl ApiKeyCredentials {
    /// Tokens for `user` from a gateway with an API key. It is asked once per handshake: the listener
    /// itself tries again.
    pub fn new(gateway: Gateway, user: UserId) -> Self {
        Self { gateway: gateway.with_attempts(1), user }
    }
}

impl Credentials for ApiKeyCredentials {
    async fn credential(&self) -> Result<Credential, ClientError> {
        Ok(Credential::Token(self.gateway.token(&self.user).await?.token))
    }
}

/// Tokens for the user whom a JSON Web Token proves.
#[derive(Clone)]
pub struct JwtCredentials {
    gateway: Gateway,
    jwt: String,
}

impl JwtCredentials {
    /// Tokens in exchange for `jwt`.
    pub fn new(gateway: Gateway, jwt: impl Into<String>) -> Self {
        Self { gateway: gateway.with_attempts(1), jwt: jwt.into() }
    }
}

impl Credentials for JwtCredentials {
    async fn credential(&self) -> Result<Credential, ClientError> {
        Ok(Credential::Token(self.gateway.token_by_jwt(&self.jwt).await?.token))
    }
}

/// Tokens for a user who logs in, again whenever the login has expired.
pub struct LoginCredentials {
    gateway: Gateway,
    username: String,
    password: String,
    jwt: Mutex<Option<String>>,
}

impl LoginCredentials {
    /// Tokens for the user of this name and password.
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
        // Taken out rather than held: no lock is held while the gateway is asked.
        let known = self.jwt.lock().await.take();
        if let Some(jwt) = known {
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
