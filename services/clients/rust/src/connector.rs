//! WebSocket handshakes.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_frames_v1::{MAX_MESSAGE_BYTES, SUBPROTOCOL};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector as TlsConnector, MaybeTlsStream, WebSocketStream};

use super::certificates::CertificateAuthorities;
use super::credentials::{Credential, Credentials};
use super::dead_letters::escape;
use super::error::{ClientError, Problem};
use super::network::NetworkFailure;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens connections, each with its own credential.
pub(super) struct Connector<C> {
    pub(super) url: String,
    pub(super) credentials: C,
    pub(super) acknowledge: bool,
    pub(super) format: Option<FrameFormat>,
    pub(super) certificate_authorities: Option<CertificateAuthorities>,
    pub(super) timeout: Duration,
}

impl<C: Credentials> Connector<C> {
    pub(super) async fn connect(&self) -> Result<Socket, ClientError> {
        let url = self.handshake_url(self.credentials.credential().await?);
        let unreachable = |source: NetworkFailure| ClientError::Unreachable {
            url: self.url.clone(),
            source: source.into(),
        };
        let tls =
            self.certificate_authorities.as_ref().map(|trusted| TlsConnector::Rustls(trusted.tls_config()));
        let limits = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .max_message_size(Some(8 * MAX_MESSAGE_BYTES))
            .max_frame_size(Some(8 * MAX_MESSAGE_BYTES));
        let attempt = tokio_tungstenite::connect_async_tls_with_config(url, Some(limits), true, tls);
        match timeout(self.timeout, attempt).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(ClientError::of_answer(Problem::from_body(response.status().as_u16(), body), None))
            }
            Ok(Err(Error::Url(_) | Error::HttpFormat(_))) => {
                Err(ClientError::Address { found: self.url.clone() })
            }
            Ok(Err(error)) => Err(unreachable(NetworkFailure::new(error))),
            Err(elapsed) => Err(unreachable(NetworkFailure::new(elapsed))),
        }
    }

    fn handshake_url(&self, credential: Credential) -> String {
        let (name, value) = match credential {
            Credential::Token(token) => ("token", token),
            Credential::ClientId(name) => ("client_id", name),
        };
        let mut url = format!("{}?{name}={}", self.url, escape(&value));
        url.push_str(match self.format {
            None => "",
            Some(FrameFormat::Single) => "&format=single",
            Some(FrameFormat::Batch) => "&format=batch",
            Some(FrameFormat::Raw) => "&format=raw",
        });
        if self.format != Some(FrameFormat::Raw) {
            url.push_str("&protocol=");
            url.push_str(SUBPROTOCOL);
        }
        if self.acknowledge {
            url.push_str("&acknowledge=true");
        }
        url
    }
}
