//! The narrow traits through which the HTTP surface reaches the rest of the process, and the values that cross
//! them.
//!
//! [`Ports`] names an adapter for each trait, as one type parameter. The server holds them in [`Adapters`], one of
//! each, shared by all requests and connections; so every method takes `&self`, and an adapter does its own
//! locking. The adapters of a real server are in [`runtime`](crate::runtime).

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_token::{Handshake, IssueError, IssuedToken, Refusal, Subject};
use axum::http::request::Parts;
use contract_connections_v1::ConnectionId;
use contract_frames_v1::ServerFrame;
use contract_history_v1::{Message, MessageKey, Page, PageRequest, Session, SessionKey};
use contract_identity_v1::Principal;
use contract_notifications_v1::{
    Notification, NotificationId, Payload, Sequence, Timestamp, UserId, WhenOffline, written,
};
use serde::{Serialize, Serializer};
use shared_ports::{Clock, PortError};
use tidings_identity::accounts::Account;
use tidings_identity::keys::{Key, KeyError, KeyInfo, KeyName, NewKey, NewSecrets};
use tidings_identity::revocations::{RevocationError, RevocationInfo, UserChange};
use tidings_identity::sigv4::HeadProof;
use tidings_store::{AcceptError, Accepted, MailboxView, Submission};
use ws_edge::{Admission, ConnectError, ConnectRequest, MessageRequest};

use crate::live_metrics::Snapshot;
use crate::timeline::Timeline;

/// The adapters of one [`Server`](super::Server), as one type parameter.
///
/// The implementing type is a compile-time list and never has a value.
pub trait Ports: 'static {
    /// Accepts notifications.
    type Acceptance: Acceptance;
    /// Authenticates producers and operators.
    type Callers: Callers;
    /// Keeps the keys of producers and operators.
    type Keys: KeyRing;
    /// Blocks users and revokes credentials.
    type Revocations: Revocations;
    /// Serves WebSocket clients.
    type ClientEdge: ClientEdge;
    /// Issues connect tokens.
    type Tokens: Tokens;
    /// Keeps users and logs them in.
    type Accounts: Accounts;
    /// Keeps dead letters.
    type DeadLetters: DeadLetters;
    /// Reads the history.
    type History: HistoryReader;
    /// Reads the live metrics.
    type LiveMetrics: LiveMetricsReader;
    /// Looks up users and notifications.
    type Inspection: Inspection;
    /// Reports if notifications can be accepted.
    type Readiness: Readiness;
    /// The clock.
    type Clock: Clock + 'static;
}

/// One adapter for each port.
#[expect(missing_docs, reason = "each port says what its adapter does")]
pub struct Adapters<P: Ports> {
    pub acceptance: P::Acceptance,
    pub callers: P::Callers,
    pub keys: P::Keys,
    pub revocations: P::Revocations,
    pub client_edge: P::ClientEdge,
    pub tokens: P::Tokens,
    pub accounts: P::Accounts,
    pub dead_letters: P::DeadLetters,
    pub history: P::History,
    pub live_metrics: P::LiveMetrics,
    pub inspection: P::Inspection,
    pub readiness: P::Readiness,
    pub clock: P::Clock,
}

/// Accepts notifications from producers.
pub trait Acceptance: Send + Sync + 'static {
    /// Accepts notifications in their order. When this returns they are as durable as configured.
    fn accept(
        &self,
        submissions: Vec<Submission>,
    ) -> impl Future<Output = Result<Vec<Accepted>, AcceptError>> + Send;
}

/// Authenticates producers and operators.
pub trait Callers: Send + Sync + 'static {
    /// Returns the key whose API key this is. Runs before any of the body is read.
    fn check_api_key(&self, key: &str) -> Result<Arc<Key>, AuthError>;

    /// Checks everything about a signature (AWS Signature Version 4) but the body, and returns the key that the request
    /// says it was signed with. Runs before any of the body is read.
    fn check_signed_head(&self, request: &Parts) -> Result<(Arc<Key>, HeadProof), AuthError>;

    /// Returns the key that signed the request and its body.
    fn check_signature(&self, request: &Parts, body: &[u8]) -> Result<Arc<Key>, AuthError>;
}

/// Keeps the keys of producers and operators.
pub trait KeyRing: Send + Sync + 'static {
    /// Returns all keys, without secrets.
    fn list(&self) -> Vec<KeyInfo>;

    /// Adds a key and returns its secrets.
    fn add(&self, new: NewKey) -> impl Future<Output = Result<NewSecrets, KeyError>> + Send;

    /// Gives a key new secrets; the older ones end after `overlap`.
    fn rotate(
        &self,
        name: KeyName,
        overlap: Duration,
    ) -> impl Future<Output = Result<NewSecrets, KeyError>> + Send;

    /// Returns true if there is the key with this identity.
    fn contains(&self, identity: &str) -> bool;

    /// Removes a key and returns its identity.
    fn revoke(&self, name: KeyName) -> impl Future<Output = Result<String, KeyError>> + Send;

    /// Stores the times of the last uses that have changed.
    fn store_uses(&self) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Blocks users and revokes credentials. A change is durable and counts when its call returns.
pub trait Revocations: Send + Sync + 'static {
    /// Returns all blocks and revocations that count now.
    fn list(&self) -> Vec<RevocationInfo>;

    /// Returns a number that grows with each change of a user.
    fn version(&self) -> u64;

    /// Returns true if a user was blocked or signed out since `version`.
    fn changed_since(&self, user: &UserId, version: u64) -> bool;

    /// Returns true if the token with this id is refused now.
    fn is_refused(&self, token_id: &str) -> bool;

    /// Blocks a user, lifts a block, or signs the user out.
    fn change_user(
        &self,
        user: UserId,
        change: UserChange,
    ) -> impl Future<Output = Result<(), RevocationError>> + Send;

    /// Refuses a token by its id until a time, or allows it again.
    fn change_token(
        &self,
        id: String,
        until: Option<Timestamp>,
    ) -> impl Future<Output = Result<(), RevocationError>> + Send;
}

/// Serves WebSocket clients: handshakes, frames and closed connections.
pub trait ClientEdge: Send + Sync + 'static {
    /// Decides a handshake.
    fn authorize(&self, handshake: &Handshake) -> impl Future<Output = Result<Principal, Refusal>> + Send;

    /// Admits a connection and stores its row.
    fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> impl Future<Output = Result<Admission, ConnectError>> + Send;

    /// Acts on a client's frame and returns the answer, if there is one.
    fn message(
        &self,
        principal: &Principal,
        request: MessageRequest<'_>,
    ) -> impl Future<Output = Option<ServerFrame>> + Send;

    /// Removes notifications from a user's mailbox: a pong shows that the client has them. It must not block.
    fn confirm(&self, principal: &Principal, sequences: &[Sequence]);

    /// Deletes the row of a connection that closed.
    fn disconnect(
        &self,
        principal: &Principal,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Issues connect tokens.
pub trait Tokens: Send + Sync + 'static {
    /// Returns the user that a JSON Web Token of this server or of a trusted issuer proves.
    fn verify_user(&self, jwt: &str) -> impl Future<Output = Result<Subject, AuthError>> + Send;

    /// Returns the number of connect tokens that are not used yet, and their largest number.
    fn unused(&self) -> (usize, usize);

    /// Issues a connect token.
    fn issue_token(&self, subject: Subject) -> impl Future<Output = Result<IssuedToken, IssueError>> + Send;
}

/// Keeps users and logs them in.
pub trait Accounts: Send + Sync + 'static {
    /// Logs a user in. `from` is the address by which logins are limited, if they are.
    fn login(
        &self,
        username: &str,
        password: &str,
        from: Option<IpAddr>,
    ) -> impl Future<Output = Result<Login, AuthError>> + Send;

    /// Logs a visitor in as a guest under a new name; `None` if guests are not allowed.
    fn guest(&self) -> Result<Option<Guest>, AuthError>;

    /// Adds a user.
    fn add_user(&self, user: NewUser) -> impl Future<Output = Result<Account, AddUserError>> + Send;

    /// Changes the password of a user.
    fn set_password(
        &self,
        user: &UserId,
        password: String,
    ) -> impl Future<Output = Result<(), ChangeUserError>> + Send;

    /// Removes a user.
    fn remove(&self, user: &UserId) -> impl Future<Output = Result<(), ChangeUserError>> + Send;

    /// Returns all users in the order of their ids.
    fn users(&self) -> impl Future<Output = Result<Vec<Account>, PortError>> + Send;

    /// Returns the public keys of the users' tokens, as a JSON Web Key Set.
    fn jwks(&self) -> String;
}

/// Keeps dead letters.
pub trait DeadLetters: Send + Sync + 'static {
    /// Returns at most `limit` dead letters whose ids come after `after`, in the order of their ids.
    fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, PortError>> + Send;

    /// Returns one dead letter with its notification; `None` if there is none of that id.
    fn get(&self, id: &str) -> impl Future<Output = Result<Option<DeadLetter>, PortError>> + Send;

    /// Redrives dead letters and returns their number.
    fn redrive(&self, selector: DeadLetterSelector) -> impl Future<Output = Result<usize, PortError>> + Send;

    /// Deletes dead letters and returns their number.
    fn purge(&self, selector: DeadLetterSelector) -> impl Future<Output = Result<usize, PortError>> + Send;
}

/// Reads the history of users.
pub trait HistoryReader: Send + Sync + 'static {
    /// Returns true if a history is kept.
    fn is_kept(&self) -> bool;

    /// Returns a page of a user's sessions; `None` if no history is kept.
    fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> impl Future<Output = Result<Option<Page<Session>>, PortError>> + Send;

    /// Returns a page of the events of a user's notifications; `None` if no history is kept.
    fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> impl Future<Output = Result<Option<Page<Message>>, PortError>> + Send;
}

/// Reads the live metrics.
pub trait LiveMetricsReader: Send + Sync + 'static {
    /// Returns the snapshots taken after `after`, or all that are kept; `None` if the process records no metrics.
    fn since(&self, after: Option<Timestamp>) -> Option<Vec<Snapshot>>;
}

/// Looks up users and notifications for operators.
pub trait Inspection: Send + Sync + 'static {
    /// Returns the first rows of a user's mailbox, at most `limit`, and the number of all.
    fn mailbox(
        &self,
        user: &UserId,
        limit: usize,
    ) -> impl Future<Output = Result<MailboxView, PortError>> + Send;

    /// Returns the timeline of a notification.
    fn timeline(
        &self,
        user: &UserId,
        id: &NotificationId,
    ) -> impl Future<Output = Result<Timeline, PortError>> + Send;

    /// Tracks a notification for a while from now on. Returns false if the limit of tracked notifications is reached.
    fn track(&self, user: &UserId, id: &NotificationId) -> bool;
}

/// Reports if notifications can be accepted.
pub trait Readiness: Send + Sync + 'static {
    /// Returns the reason, as a text for operators, if notifications can't be accepted.
    fn ready(&self) -> Result<(), String>;
}

/// Reasons for refusing a caller. The texts are for the caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The request has no credential: 401.
    #[error("{0}")]
    Missing(String),
    /// The credential is not valid: 403.
    #[error("{0}")]
    Refused(String),
    /// Too many attempts: 429. The credential was not checked.
    #[error("{detail}")]
    TooMany {
        /// The text for the caller.
        detail: String,
        /// Time after which another attempt may succeed.
        wait: Duration,
    },
    /// The credential could not be checked: 500. The caller does not see the reason.
    #[error("the credential could not be checked")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Reasons for refusing a new user.
#[derive(Debug, thiserror::Error)]
pub enum AddUserError {
    /// The name or the password is not allowed: 400. The text says what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// The name could be that of another issuer's user: 409. The text is for the caller.
    #[error("{0}")]
    Foreign(String),
    /// The name is taken: 409.
    #[error("there is a user of that name already")]
    Exists,
    /// The store failed: 500.
    #[error("the user could not be stored")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Reasons for not changing a user.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUserError {
    /// The password is not allowed: 400. The text says what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// There is no such user: 404.
    #[error("there is no user of that name")]
    NoSuchUser,
    /// The store failed: 500.
    #[error("the user could not be changed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A user to be added. It has no `Debug` because it holds the password.
pub struct NewUser {
    /// The user's id, which is also the name to log in with.
    pub user_id: UserId,
    /// The password.
    pub password: String,
}

/// The result of a login. It has no `Debug` because it holds a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// A JSON Web Token of the user.
    pub id_token: String,
    /// Time from which on the token is refused.
    pub expires_at: Timestamp,
}

/// Prefix of the user ids of guests. 128 random bits follow, so that no guest ever gets the id, and what is held for it, of
/// another.
pub const GUEST_PREFIX: &str = "guest-";

/// A visitor logged in as a guest. It has no `Debug` because it holds a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Guest {
    /// The guest's user id.
    pub user_id: UserId,
    /// The token, as of a user with an account.
    pub login: Login,
}

/// A notification that can never be delivered, as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The id of the dead letter: the sequence the notification was accepted with.
    pub id: String,
    /// The user the notification is for.
    #[serde(serialize_with = "written::user_id")]
    pub user_id: UserId,
    /// The notification's own id; absent if the stored bytes can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<NotificationId>,
    /// The reason for giving it up.
    pub reason: String,
    /// Time at which it was given up.
    pub since: Timestamp,
    /// The notification; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_written")]
    pub notification: Option<Notification>,
}

/// Serializes a notification with its user as people write it.
#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn as_written<S: Serializer>(notification: &Option<Notification>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Written<'a> {
        id: &'a NotificationId,
        #[serde(serialize_with = "written::user_id")]
        user_id: &'a UserId,
        payload: &'a Payload,
        sent_at: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
        when_offline: WhenOffline,
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<&'a str>,
    }
    let written = notification.as_ref().map(|notification| {
        let Notification { id, user_id, payload, sent_at, expires_at, when_offline, kind, source } =
            notification;
        let (sent_at, expires_at, when_offline) = (*sent_at, *expires_at, *when_offline);
        let (kind, source) = (kind.as_deref(), source.as_deref());
        Written { id, user_id, payload, sent_at, expires_at, when_offline, kind, source }
    });
    written.serialize(serializer)
}

/// Selects the dead letters an operation acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetterSelector {
    /// All dead letters.
    All,
    /// The dead letter of this id.
    One(String),
}
