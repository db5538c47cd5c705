//! A gateway's HTTP interface: addresses, tokens, users, and retries.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use contract_notifications_v1::{Timestamp, UserId};
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared_retry::RetryPolicy;

use super::certificates::CertificateAuthorities;
use super::error::{ClientError, Problem};
use super::network::NetworkFailure;

/// Attempts of a request.
const ATTEMPTS: u32 = 6;
/// Delays between attempts.
const RETRY: RetryPolicy = RetryPolicy { initial: Duration::from_millis(100), max: Duration::from_secs(5) };
/// Longest delay that a gateway may ask for. The caller decides about longer outages.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_mins(1);

/// A single-use credential for one WebSocket handshake.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectToken {
    /// The token.
    pub token: String,
    /// Expiry, if the gateway reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for ConnectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Result of a login.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// A JSON Web Token whose subject is the user.
    pub id_token: String,
    /// Expiry, if the gateway reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A user who can log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The name to log in with, which is also the user id of notifications.
    pub username: String,
    /// Time at which the user was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// Addresses of a deployment on AWS: outputs of its stack (`pulumi stack output --json`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// WebSocket address, `wss://…`.
    pub web_socket_url: String,
    /// Address at which a JSON Web Token is exchanged for a connect token.
    pub token_url: String,
}

#[derive(Serialize)]
struct NameAndPassword<'a> {
    username: &'a str,
    password: &'a str,
}

/// HTTP client of a gateway, for producers and operators. Clones share their connections.
///
/// Requests are retried with growing delays while the gateway does not answer or asks to try later.
#[derive(Clone)]
pub struct Gateway {
    http: reqwest::Client,
    base: Url,
    web_socket: Arc<str>,
    /// Path of connect tokens, relative to `base`.
    token_path: &'static str,
    api_key: Option<Arc<str>>,
    attempts: u32,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Returns a client of the gateway at `base`, for example `http://127.0.0.1:8080` or
    /// `https://example.com/production`. Sends nothing.
    ///
    /// # Errors
    /// [`ClientError::Address`] if `base` is not an HTTP address.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        super::install_tls_provider();
        let wrong = || ClientError::Address { found: base.to_owned() };
        let mut url = Url::parse(base.trim_end_matches('/')).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong());
        }
        url.set_query(None);
        url.set_fragment(None);
        let http = http_client(&url, None)?;
        let web_socket = format!("{}/ws", url.as_str().trim_end_matches('/'));
        // The scheme was checked to be http or https.
        let web_socket = web_socket.replacen("http", "ws", 1).into();
        Ok(Self { http, base: url, web_socket, token_path: "/v1/token", api_key: None, attempts: ATTEMPTS })
    }

    /// Returns a client of a deployment on AWS, which offers a WebSocket and tokens by JSON Web Token.
    ///
    /// # Errors
    /// [`ClientError::Address`] if the token address is not an HTTP address.
    pub fn of_stack(stack: &Stack) -> Result<Self, ClientError> {
        let gateway = Self::new(&stack.token_url)?;
        Ok(Self { web_socket: stack.web_socket_url.as_str().into(), token_path: "", ..gateway })
    }

    /// Sets the certificate authorities to trust, instead of those of the operating system alone. A
    /// [`Listener`](super::Listener) has a setting of its own.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if TLS can't be set up.
    pub fn with_certificate_authorities(self, trusted: &CertificateAuthorities) -> Result<Self, ClientError> {
        Ok(Self { http: http_client(&self.base, Some(trusted))?, ..self })
    }

    /// Sets the API key.
    #[must_use]
    pub fn with_api_key(mut self, api_key: impl Into<Arc<str>>) -> Self {
        self.api_key = Some(api_key.into());
        self
    }

    /// Sets the largest number of attempts of a request, at least one.
    #[must_use]
    pub const fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// Returns the gateway's address.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Returns the address of the gateway's WebSocket.
    pub fn web_socket_url(&self) -> String {
        self.web_socket.to_string()
    }

    /// Requests a connect token for any user. Needs the API key.
    pub async fn token(&self, user: &UserId) -> Result<ConnectToken, ClientError> {
        let body = serde_json::json!({ "userId": user });
        self.json("the token request", |http| http.post(http.token_path).json(&body)).await
    }

    /// Requests a connect token for the subject of a JSON Web Token.
    pub async fn token_by_jwt(&self, jwt: &str) -> Result<ConnectToken, ClientError> {
        self.json("the token request", |http| http.anonymous(Method::POST, http.token_path).bearer_auth(jwt))
            .await
    }

    /// Logs a user in.
    pub async fn login(&self, username: &str, password: &str) -> Result<Login, ClientError> {
        let body = NameAndPassword { username, password };
        self.json("the login", |http| http.anonymous(Method::POST, "/v1/login").json(&body)).await
    }

    /// Adds a user whose user id is `username`.
    pub async fn add_user(&self, username: &str, password: &str) -> Result<User, ClientError> {
        let body = NameAndPassword { username, password };
        self.json("the new user", |http| http.post("/v1/users").json(&body)).await
    }

    /// Returns all users.
    pub async fn users(&self) -> Result<Vec<User>, ClientError> {
        #[derive(Deserialize)]
        struct Users {
            items: Vec<User>,
        }
        let users: Users = self.json("the list of users", |http| http.get("/v1/users")).await?;
        Ok(users.items)
    }

    /// Succeeds if the gateway is ready. Makes one attempt.
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.once(&|http: &Self| http.anonymous(Method::GET, "/readyz")).await.map(drop)
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub(super) fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.anonymous(method, path);
        match &self.api_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base()))
    }

    /// Sends a request, with retries, and parses the answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: impl Fn(&Self) -> RequestBuilder,
    ) -> Result<T, ClientError> {
        let body = self.with_retries(request).await?;
        serde_json::from_slice(&body).map_err(|source| ClientError::Answer { what, source: source.into() })
    }

    /// Sends a request, with retries, and returns the answer's body.
    pub(super) async fn with_retries(
        &self,
        request: impl Fn(&Self) -> RequestBuilder,
    ) -> Result<Vec<u8>, ClientError> {
        let mut retries = self.retries();
        loop {
            let error = match self.once(&request).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            if !retries.wait(&error).await {
                return Err(error);
            }
        }
    }

    /// Sends a request once.
    pub(super) async fn once(
        &self,
        request: &impl Fn(&Self) -> RequestBuilder,
    ) -> Result<Vec<u8>, ClientError> {
        let unreachable = |source: reqwest::Error| ClientError::Unreachable {
            url: self.base().to_owned(),
            // The error names the address already, and a query could contain a credential.
            source: NetworkFailure::new(source.without_url()).into(),
        };
        let response = request(self).send().await.map_err(unreachable)?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(body.into());
        }
        Err(ClientError::of_answer(Problem::from_body(status.as_u16(), &body), retry_after))
    }

    pub(super) const fn retries(&self) -> Retries {
        Retries { attempt: 0, attempts: self.attempts }
    }
}

/// Returns an HTTP client for an address: with the timeouts and the certificate authorities of a [`Gateway`], and without
/// a proxy for addresses of this machine.
///
/// # Errors
/// [`ClientError::Unreachable`] if the system has no TLS.
pub fn http_client(
    url: &Url,
    trusted: Option<&CertificateAuthorities>,
) -> Result<reqwest::Client, ClientError> {
    super::install_tls_provider();
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) {
        // A proxy can't reach this machine's own addresses.
        builder = builder.no_proxy();
    }
    if let Some(trusted) = trusted {
        builder = builder.tls_backend_preconfigured((*trusted.tls_config()).clone());
    }
    builder.build().map_err(|source| ClientError::Unreachable { url: url.to_string(), source: source.into() })
}

/// Counts the attempts of one request.
pub(super) struct Retries {
    attempt: u32,
    attempts: u32,
}

impl Retries {
    /// Waits before the next attempt. Returns false if there is none.
    pub(super) async fn wait(&mut self, error: &ClientError) -> bool {
        if !error.is_retryable() {
            return false;
        }
        self.wait_at_least(error.retry_after()).await
    }

    /// Waits for at least `least` before the next attempt. Returns false if there is none.
    pub(super) async fn wait_at_least(&mut self, least: Option<Duration>) -> bool {
        if self.attempt + 1 >= self.attempts {
            return false;
        }
        let least = least.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        tokio::time::sleep(least + RETRY.delay(self.attempt)).await;
        self.attempt += 1;
        true
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for wrong in ["", "8080", "ftp://x", "localhost:8080", "http://"] {
            assert!(matches!(Gateway::new(wrong), Err(ClientError::Address { .. })), "{wrong}");
        }
        let plain = Gateway::new("http://127.0.0.1:8080/").unwrap();
        assert_eq!(plain.base(), "http://127.0.0.1:8080");
        assert_eq!(plain.web_socket_url(), "ws://127.0.0.1:8080/ws");
        let staged = Gateway::new("https://http.example/production").unwrap();
        assert_eq!(staged.web_socket_url(), "wss://http.example/production/ws");
        let (web_socket_url, token_url) = ("wss://w.example/prod".into(), "https://t.example/token".into());
        let stack = Gateway::of_stack(&Stack { web_socket_url, token_url }).unwrap();
        assert_eq!(
            (stack.web_socket_url().as_str(), stack.base()),
            ("wss://w.example/prod", "https://t.example/token")
        );
    }

    #[test]
    fn debug_hides_secrets() {
        let gateway = Gateway::new("http://127.0.0.1:1").unwrap().with_api_key("secret-key");
        let token = ConnectToken { token: "secret-token".into(), expires_at: None };
        let login = Login { id_token: "secret-jwt".into(), expires_at: None };
        assert!(!format!("{gateway:?}{token:?}{login:?}").contains("secret"));
    }

    #[test]
    fn loopback_is_recognised() {
        for (url, expected) in
            [("http://localhost:1", true), ("http://[::1]:1", true), ("http://10.0.0.1", false)]
        {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
