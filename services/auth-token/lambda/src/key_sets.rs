//! Issuers' key sets, fetched over HTTPS.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auth_token::ports::{KEY_SET_TIMEOUT, KeySets, MAX_KEY_SET_BYTES};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::http::{Request, StatusCode};
use aws_smithy_types::byte_stream::ByteStream;
use shared_aws::{AttemptLimits, http_connector};
use shared_ports::PortError;

const OPERATION: &str = "fetching a key set";

/// Fetches key sets over HTTPS.
#[derive(Debug, Clone)]
pub struct HttpKeySets {
    /// Made when the first key set is fetched: reading the system's certificate authorities takes longer than the rest of
    /// the function's start.
    connector: Arc<OnceLock<SharedHttpConnector>>,
    timeout: Duration,
}

/// Reasons for refusing an answer.
#[derive(Debug, thiserror::Error)]
enum AnswerError {
    #[error("the answer has the status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("the answer has more than {MAX_KEY_SET_BYTES} bytes")]
    TooLarge,
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PortError {
    PortError::retryable(OPERATION, error)
}

impl Default for HttpKeySets {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpKeySets {
    /// Uses a client that does not follow redirects, with the timeout [`KEY_SET_TIMEOUT`].
    pub fn new() -> Self {
        Self::with_timeout(KEY_SET_TIMEOUT)
    }

    /// Uses another timeout than [`KEY_SET_TIMEOUT`].
    pub fn with_timeout(timeout: Duration) -> Self {
        Self { connector: Arc::default(), timeout }
    }

    fn get(&self, url: &str) -> impl Future<Output = Result<Vec<u8>, PortError>> + Send {
        // The method is GET unless another one is set.
        let request = Request::get(url).map_err(failed);
        let connector = || self.connector.get_or_init(|| http_connector(AttemptLimits::default().connect));
        let answer = request.map(|request| connector().call(request));
        async move {
            let response = answer?.await.map_err(failed)?;
            if response.status().as_u16() != 200 {
                return Err(failed(AnswerError::Status(response.status())));
            }
            let (mut body, mut chunks) = (Vec::new(), ByteStream::new(response.into_body()));
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(failed)?;
                if body.len() + chunk.len() > MAX_KEY_SET_BYTES {
                    return Err(failed(AnswerError::TooLarge));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body)
        }
    }
}

impl KeySets for HttpKeySets {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, PortError> {
        tokio::time::timeout(self.timeout, self.get(url)).await.map_err(failed)?
    }
}
