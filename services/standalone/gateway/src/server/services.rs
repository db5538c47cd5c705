//! What the server needs of the rest of the process.
use std::future::Future;

use auth_token::{Handshake, IssuedToken, Refusal, Subject};
use axum::http::request::Parts;
use contract_connections_v1::ConnectionId;
use contract_frames_v1::ServerFrame;
use contract_history_v1::{Message, MessageKey, Page, PageRequest, Session, SessionKey};
use contract_identity_v1::Principal;
use contract_notifications_v1::{Notification, NotificationId, Timestamp, UserId};
use serde::Serialize;
use shared_ports::PortError;
use tidings_identity::accounts::Account;
use tidings_store::{AcceptError, Accepted, MailboxView, Submission};
use ws_edge::{Admission, ConnectError, ConnectRequest, MessageRequest};

use crate::figures::Snapshot;
use crate::life::Life;

/// Why a caller is not let in. The texts are for the caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No credential: 401.
    #[error("{0}")]
    Missing(String),
    /// A credential that proves nothing: 403.
    #[error("{0}")]
    Refused(String),
    /// The gateway could not find out: 500, and the caller is not told why.
    #[error("the credential could not be checked")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a user was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddUserError {
    /// The name or the password is not allowed: 400. The text says what is.
    #[error("{0}")]
    Invalid(String),
    /// There is a user of that name: 409.
    #[error("there is a user of that name already")]
    Exists,
    /// The store failed: 500.
    #[error("the user could not be stored")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A user to be added. No `Debug`: it holds the password.
pub struct NewUser {
    /// Who the user is to the gateway, and the name to log in with.
    pub user_id: UserId,
    /// The password.
    pub password: String,
}

/// What a login gives. No `Debug`: it holds a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// A JSON Web Token of the user.
    pub id_token: String,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// A guest who was let in. No `Debug`: it holds a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Guest {
    /// Who the guest is to the gateway.
    pub user_id: UserId,
    /// As of a user who logged in.
    pub login: Login,
}

/// A notification that can never be delivered, or that an operator took out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its name among the dead letters.
    pub id: String,
    /// Whose.
    pub user_id: UserId,
    /// The notification's own id; absent when what is stored can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<NotificationId>,
    /// Why it is here.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// The notification itself; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
}

/// Which dead letters an operation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All there are.
    All,
    /// One of them.
    One(String),
}

/// What the server needs of the rest of the process: who may do what, and where notifications go.
///
/// Everything is asked for through `&self`; an implementation is shared by all connections.
pub trait Services: Send + Sync + 'static {
    /// Accepts notifications, in their order. When this returns they are as durable as configured.
    fn accept(
        &self,
        submissions: Vec<Submission>,
    ) -> impl Future<Output = Result<Vec<Accepted>, AcceptError>> + Send;

    /// The present time.
    fn now(&self) -> Timestamp;

    /// Lets a caller in by API key, before anything of the body is read.
    fn check_api_key(&self, key: &str) -> Result<(), AuthError>;

    /// Lets a caller in by a signature (Signature Version 4) over the request.
    fn check_signature(&self, request: &Parts, body: &[u8]) -> Result<(), AuthError>;

    /// Decides a WebSocket handshake.
    fn authorize(&self, handshake: &Handshake) -> impl Future<Output = Result<Principal, Refusal>> + Send;

    /// Admits a connection and stores its row.
    fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> impl Future<Output = Result<Admission, ConnectError>> + Send;

    /// Acts on a client's frame.
    fn message(
        &self,
        principal: &Principal,
        request: MessageRequest<'_>,
    ) -> impl Future<Output = Option<ServerFrame>> + Send;

    /// Forgets a connection that closed.
    fn disconnect(
        &self,
        principal: &Principal,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Who a user's JSON Web Token proves to be.
    fn verify_user(&self, jwt: &str) -> Result<Subject, AuthError>;

    /// Issues a connect token.
    fn issue_token(
        &self,
        subject: Subject,
    ) -> impl Future<Output = Result<IssuedToken, auth_token::IssueError>> + Send;

    /// Logs a user in.
    fn login(&self, username: &str, password: &str) -> impl Future<Output = Result<Login, AuthError>> + Send;

    /// Lets a visitor in as a guest, with a name of their own; `None` where there are no guests.
    fn guest(&self) -> Result<Option<Guest>, AuthError>;

    /// Adds a user.
    fn add_user(&self, user: NewUser) -> impl Future<Output = Result<Account, AddUserError>> + Send;

    /// All users, in the order of their ids.
    fn users(&self) -> impl Future<Output = Result<Vec<Account>, PortError>> + Send;

    /// The public keys of the users' tokens, as a JSON Web Key Set.
    fn jwks(&self) -> String;

    /// Dead letters in the order of their ids: those after `after`, at most `limit`.
    fn dead_letters(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, PortError>> + Send;

    /// One dead letter, with its notification.
    fn dead_letter(&self, id: &str) -> impl Future<Output = Result<Option<DeadLetter>, PortError>> + Send;

    /// Has dead letters accepted anew; gives how many.
    fn redrive(&self, which: Which) -> impl Future<Output = Result<usize, PortError>> + Send;

    /// Deletes dead letters; gives how many.
    fn purge(&self, which: Which) -> impl Future<Output = Result<usize, PortError>> + Send;

    /// A page of a user's sessions; `None` when no history is kept.
    fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> impl Future<Output = Result<Option<Page<Session>>, PortError>> + Send;

    /// A page of what became of a user's notifications; `None` when no history is kept.
    fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> impl Future<Output = Result<Option<Page<Message>>, PortError>> + Send;

    /// The figures taken after `after`, or all that are kept; `None` when none are taken.
    fn figures(&self, after: Option<Timestamp>) -> Option<Vec<Snapshot>>;

    /// The beginning of a user's mailbox, at most `limit` rows, and how many there are.
    fn mailbox(
        &self,
        user: &UserId,
        limit: usize,
    ) -> impl Future<Output = Result<MailboxView, PortError>> + Send;

    /// Whether a history is kept.
    fn keeps_history(&self) -> bool;

    /// What is known of a notification.
    fn life(
        &self,
        user: &UserId,
        id: &NotificationId,
    ) -> impl Future<Output = Result<Life, PortError>> + Send;

    /// Remembers from now on what becomes of a notification, for a while. False when as many are followed as
    /// may be.
    fn follow(&self, user: &UserId, id: &NotificationId) -> bool;

    /// Whether notifications can be accepted; if not, why.
    fn ready(&self) -> Result<(), String>;
}
