//! The Rust client of a Tidings gateway: [`Gateway`] speaks HTTP for producers and operators, [`Listener`]
//! receives a user's notifications over WebSocket.
//!
//! Both work against any Tidings, in one process or on AWS.

mod acks;
mod connector;
mod credentials;
mod dead_letters;
mod error;
mod gateway;
mod intake;
mod listener;
mod producer;
mod session;

pub use acks::AckBatch;
pub use credentials::{ApiKeyCredentials, Credential, Credentials, JwtCredentials, LoginCredentials};
pub use dead_letters::{DeadLetter, DeadLetterPage};
pub use error::{ClientError, Problem};
pub use gateway::{ConnectToken, Gateway, Login, Stack, User};
pub use intake::{Intake, Verdict};
pub use listener::{Disconnect, Event, Listener, ListenerConfig, Received};
pub use producer::{Accepted, CHUNK_BYTES, CHUNK_ENTRIES, Outcome};

/// Makes ring the process's TLS provider. Harmless when there is one already.
pub(crate) fn install_tls_provider() {
    // An error says that a provider is there, which is all that is needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
