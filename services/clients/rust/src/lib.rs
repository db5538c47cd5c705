//! Client of a Tidings gateway.
//!
//! [`Gateway`] speaks HTTP, for producers and operators. [`Listener`] receives a user's notifications over
//! WebSocket: in order, each once, reconnecting as needed. Both work with every Tidings gateway, in one
//! process or on AWS. Both need a tokio runtime.
//!
//! ```no_run
//! use contract_notifications_v1::{NotificationId, NotificationRequest, Timestamp, UserId};
//! use tidings_client::{ApiKeyCredentials, Event, Gateway, Listener, ListenerConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let gateway = Gateway::new("http://127.0.0.1:8080")?.with_api_key("tidings_…");
//!
//! // Send a notification. A retry with the same id is delivered once.
//! let id = NotificationId::new("order-1042-shipped")?;
//! let request = NotificationRequest::from_json(r#"{"userId": "ana", "payload": {"order": 1042}}"#)?;
//! gateway.send(&request.complete(|| id, Timestamp::from_millis(1_772_366_400_000))).await?;
//!
//! // Receive it.
//! let credentials = ApiKeyCredentials::new(gateway.clone(), UserId::new("ana")?);
//! let mut listener = Listener::start(gateway.web_socket_url(), credentials, ListenerConfig::default());
//! while let Some(event) = listener.next().await {
//!     if let Event::Notification(received) = event? {
//!         println!("{}", received.delivery.payload.get());
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod acks;
mod certificates;
mod config;
mod connector;
mod credentials;
mod dead_letters;
mod driver;
mod duplicates;
mod error;
mod event;
mod gateway;
mod keys;
mod listener;
mod network;
mod producer;
mod revocations;

pub use certificates::{CertificateAuthorities, CertificateFileError};
pub use config::ListenerConfig;
pub use credentials::{ApiKeyCredentials, Credential, Credentials, JwtCredentials, LoginCredentials};
pub use dead_letters::{DeadLetter, DeadLetterPage};
pub use error::{ClientError, Problem};
pub use event::{Disconnect, Event, ReceivedNotification};
pub use gateway::{ConnectToken, Gateway, Login, Stack, User, http_client};
pub use keys::{AccessKeySecrets, Allowance, KeyInfo, KeySecrets, NewKey};
pub use listener::Listener;
pub use network::NetworkFailure;
pub use producer::{Accepted, CHUNK_BYTES, CHUNK_ENTRIES, Outcome};
pub use revocations::Revocation;

/// Makes ring the process's TLS provider, unless it has one.
pub(crate) fn install_tls_provider() {
    // An error says that the process has a provider, which suffices.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
