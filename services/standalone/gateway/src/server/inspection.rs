//! Routes for looking up users and notifications, for operators. Answers never have payloads.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{NotificationId, Sequence, Timestamp, UserId, written};
use serde::Serialize;
use shared_ports::PortError;
use tidings_identity::keys::Access;
use tidings_sockets::{OpenConnection, Peer};
use tidings_store::{MailboxView, NotificationState, StoredNotification};

use super::path::Path;
use super::problem::Problem;
use super::{App, HistoryReader as _, Inspection as _, Ports};

/// Maximum number of mailbox rows in an answer.
const MAILBOX_ROWS: usize = 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    #[serde(serialize_with = "written::user_id")]
    user_id: UserId,
    /// Open connections, the oldest first.
    connections: Vec<Connection>,
    mailbox: Mailbox,
    /// True if the server keeps a history.
    history: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    id: ConnectionId,
    since: Timestamp,
    last_active_at: Timestamp,
    format: FrameFormat,
    acknowledges: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    waiting_bytes: usize,
}

impl From<OpenConnection> for Connection {
    fn from(OpenConnection { row, description, waiting_bytes }: OpenConnection) -> Self {
        let (source_ip, user_agent) = match description.peer {
            Some(Peer { ip, user_agent }) => (Some(ip.to_string()), Some(user_agent.into())),
            None => (None, None),
        };
        Self {
            id: row.connection_id,
            since: description.connected_at,
            last_active_at: description.last_active_at,
            format: row.format,
            acknowledges: row.acknowledges,
            expires_at: row.expires_at,
            source_ip,
            user_agent: user_agent.filter(|agent: &String| !agent.is_empty()),
            waiting_bytes,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mailbox {
    count: usize,
    /// True if there are more rows than were counted.
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_sent_at: Option<Timestamp>,
    first: Vec<Row>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: NotificationId,
    sequence: Sequence,
    sent_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Box<str>>,
    /// Size of the payload.
    bytes: usize,
    /// Number of connections it was pushed to. None has acknowledged it.
    pushed_to: usize,
}

impl From<StoredNotification> for Row {
    fn from(StoredNotification { sequence, notification, state }: StoredNotification) -> Self {
        let pushed_to = match state {
            NotificationState::Held { pushed_to } => pushed_to,
            NotificationState::Queued { .. } => 0,
        };
        Self {
            id: notification.id,
            sequence,
            sent_at: notification.sent_at,
            expires_at: notification.expires_at,
            kind: notification.kind,
            bytes: notification.payload.get().len(),
            pushed_to,
        }
    }
}

impl From<MailboxView> for Mailbox {
    fn from(MailboxView { first, count, more }: MailboxView) -> Self {
        let oldest_sent_at = first.first().map(|row| row.notification.sent_at);
        Self { count, more, oldest_sent_at, first: first.into_iter().map(Row::from).collect() }
    }
}

/// Answers `GET /v1/users/{user}`.
pub(super) async fn user<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(user): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Read).await?;
    let user_id = user_id(user)?;
    let connections = app.registry.of(&user_id).into_iter().map(Connection::from).collect();
    let mailbox =
        app.ports.inspection.mailbox(&user_id, MAILBOX_ROWS).await.map_err(|error| failed(&error))?;
    let history = app.ports.history.is_kept();
    Ok(Json(Inspected { user_id, connections, mailbox: mailbox.into(), history }).into_response())
}

/// Answers `GET /v1/users/{user}/notifications/{id}`.
pub(super) async fn notification<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path((user, id)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Read).await?;
    let (user, id) = (user_id(user)?, notification_id(id)?);
    Ok(Json(app.ports.inspection.timeline(&user, &id).await.map_err(|error| failed(&error))?).into_response())
}

/// Answers `POST /v1/users/{user}/notifications/{id}`: tracks the notification from now on, and answers as `GET`.
pub(super) async fn track<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path((user, id)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Operate).await?;
    let (user, id) = (user_id(user)?, notification_id(id)?);
    if !app.ports.inspection.track(&user, &id) {
        let detail = "the limit of tracked notifications is reached; try again in two minutes";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-followed", detail));
    }
    Ok(Json(app.ports.inspection.timeline(&user, &id).await.map_err(|error| failed(&error))?).into_response())
}

fn user_id(text: String) -> Result<UserId, Problem> {
    UserId::new(text).map_err(|error| Problem::bad_request(error.to_string()))
}

fn notification_id(text: String) -> Result<NotificationId, Problem> {
    NotificationId::new(text).map_err(|error| Problem::bad_request(error.to_string()))
}

fn failed(error: &PortError) -> Problem {
    if error.is_retryable() {
        tracing::warn!(error = error as &dyn std::error::Error, "a lookup of a user failed");
        return Problem::unavailable("the store can't be reached at the moment; try again");
    }
    Problem::internal("looking up a user", error)
}
