//! Fetches the key sets of other issuers over HTTP.

use std::sync::OnceLock;
use std::time::Duration;

use auth_token::ports::{KEY_SET_TIMEOUT, KeySets, MAX_KEY_SET_BYTES};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use shared_ports::PortError;

const OPERATION: &str = "fetching a key set";

/// Fetches key sets over HTTP. Creates its HTTP client at the first use, since most servers never need it.
#[derive(Debug)]
pub struct HttpKeySets {
    client: OnceLock<Client>,
    timeout: Duration,
}

impl Default for HttpKeySets {
    fn default() -> Self {
        Self::with_timeout(KEY_SET_TIMEOUT)
    }
}

/// Reasons for refusing an answer.
#[derive(Debug, thiserror::Error)]
enum AnswerError {
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the answer has more than {MAX_KEY_SET_BYTES} bytes")]
    TooLarge,
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PortError {
    PortError::retryable(OPERATION, error)
}

impl HttpKeySets {
    /// Returns an adapter with another timeout than [`KEY_SET_TIMEOUT`].
    pub const fn with_timeout(timeout: Duration) -> Self {
        Self { client: OnceLock::new(), timeout }
    }

    fn client(&self) -> Result<&Client, PortError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // An error says that the process has a TLS provider already, which suffices.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(self.timeout).redirect(Policy::none()).build();
        let client = client.map_err(failed)?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl KeySets for HttpKeySets {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, PortError> {
        let mut response = self.client()?.get(url).send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(failed(AnswerError::Status(response.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_KEY_SET_BYTES {
                return Err(failed(AnswerError::TooLarge));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
