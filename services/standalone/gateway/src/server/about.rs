//! What the server says about itself, so that a page knows what to offer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use contract_frames_v1::MAX_MESSAGE_BYTES;
use contract_identity_v1::AuthenticationMethod;
use contract_notifications_v1::{HubName, UserId};
use serde::{Deserialize, Serialize};

use super::{App, Services};

/// Recipients to which clients may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientMessagePolicy {
    /// No client sends anything.
    Off,
    /// The sender's hubs, and users who are in one of them.
    SameHub,
    /// Every user and hub.
    Anyone,
}

/// What anybody may know of how a server is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// By which methods a WebSocket handshake may prove who it is.
    pub handshake: Vec<AuthenticationMethod>,
    /// Who may log in without an account.
    pub login: LoginOffer,
    /// Who may send to whom.
    pub sending: ClientMessagePolicy,
    /// The hub that every connection joins.
    pub everyone: Option<HubName>,
    /// Whether the members of a hub are told who comes and goes.
    pub presence: bool,
    /// Whether a history is kept.
    pub history: bool,
    /// Largest message a client may send.
    pub max_message_bytes: usize,
}

impl Default for About {
    /// Of a server where nothing is set.
    fn default() -> Self {
        Self {
            handshake: vec![AuthenticationMethod::Token],
            login: LoginOffer::default(),
            sending: ClientMessagePolicy::Off,
            everyone: None,
            presence: false,
            history: false,
            max_message_bytes: MAX_MESSAGE_BYTES,
        }
    }
}

/// Who may log in without an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginOffer {
    /// Whether a visitor may come as a guest.
    pub guests: bool,
    /// Users whose passwords are no secret; there are some only in development.
    pub users: Vec<ShownUser>,
}

/// A user whose password is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownUser {
    /// The name to log in with.
    pub username: UserId,
    /// The password, which is the name.
    pub password: UserId,
}

impl ShownUser {
    /// A user with the name as password.
    pub fn new(name: &UserId) -> Self {
        Self { username: name.clone(), password: name.clone() }
    }

    /// Whether this is who logs in.
    pub fn is(&self, username: &str, password: &str) -> bool {
        self.username.as_str() == username && self.password.as_str() == password
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    name: &'static str,
    version: &'static str,
    development: bool,
    #[serde(flatten)]
    about: &'a About,
}

/// Answers `GET /v1/info`.
pub(super) async fn info<S: Services>(State(app): State<Arc<App<S>>>) -> Response {
    let about = &app.settings.about;
    let development = !about.login.users.is_empty();
    let answer =
        Answer { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), development, about };
    ([(CACHE_CONTROL, "no-cache")], Json(answer)).into_response()
}
