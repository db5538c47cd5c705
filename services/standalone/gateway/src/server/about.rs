//! Describes the server's configuration to anybody who asks, so that a page knows what to offer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use contract_frames_v1::MAX_MESSAGE_BYTES;
use contract_identity_v1::AuthenticationMethod;
use contract_notifications_v1::{HubName, UserId, written};
use serde::{Deserialize, Serialize};

use super::{App, Ports};

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

/// The part of a server's configuration that anybody may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Methods of authentication for a WebSocket handshake.
    pub handshake: Vec<AuthenticationMethod>,
    /// Logins that need no account.
    pub login: LoginOffer,
    /// Recipients to which clients may send. The answer's field keeps the policy's former name.
    #[serde(rename = "sending")]
    pub client_messages: ClientMessagePolicy,
    /// The hub that every connection joins, if there is one.
    pub everyone: Option<HubName>,
    /// True if the members of a hub are notified when another member comes or goes.
    pub presence: bool,
    /// True if a history is kept.
    pub history: bool,
    /// Maximum size of a client's message.
    pub max_message_bytes: usize,
}

impl Default for About {
    /// Describes a server with the default configuration.
    fn default() -> Self {
        Self {
            handshake: vec![AuthenticationMethod::Token],
            login: LoginOffer::default(),
            client_messages: ClientMessagePolicy::Off,
            everyone: None,
            presence: false,
            history: false,
            max_message_bytes: MAX_MESSAGE_BYTES,
        }
    }
}

/// Logins that need no account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginOffer {
    /// True if visitors may log in as guests.
    pub guests: bool,
    /// Users whose passwords are public; only a development server has some.
    pub users: Vec<ShownUser>,
}

/// A user whose password is public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownUser {
    /// The name to log in with.
    #[serde(serialize_with = "written::user_id")]
    pub username: UserId,
    /// The password, which equals the name.
    #[serde(serialize_with = "written::user_id")]
    pub password: UserId,
}

impl ShownUser {
    /// Makes a user whose password is the name.
    pub fn new(name: &UserId) -> Self {
        Self { username: name.clone(), password: name.clone() }
    }

    /// Returns true if username and password are this user's.
    pub fn is(&self, username: &str, password: &str) -> bool {
        UserId::new(username).is_ok_and(|name| name == self.username)
            && self.password.as_written() == password
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
pub(super) async fn info<P: Ports>(State(app): State<Arc<App<P>>>) -> Response {
    let about = &app.settings.about;
    let development = !about.login.users.is_empty();
    let answer =
        Answer { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), development, about };
    ([(CACHE_CONTROL, "no-cache")], Json(answer)).into_response()
}
