//! Fixtures: the effects of other services on the tables and the queue of a suite.
//!
//! A suite tests one service's port. A fixture does the writes and the reads of the services at the other
//! end.

use std::future::Future;

use contract_connections_v1::{Connection, ConnectionId};
use contract_history_v1::MessageRow;
use contract_notifications_v1::{HubName, Sequence, UserId};

/// The mailbox, filled as the dispatcher does it.
pub trait MailboxRows {
    /// Holds notifications that were pushed to no connection.
    fn hold(&self, user: &UserId, numbers: &[u64]) -> impl Future<Output = ()>;

    /// Deletes the rows of notifications.
    fn delete(&self, user: &UserId, numbers: &[u64]) -> impl Future<Output = ()>;

    /// The sequences held, ascending.
    fn held(&self, user: &UserId) -> impl Future<Output = Vec<Sequence>>;
}

/// The Connections table at the other end.
pub trait ConnectionRows {
    /// Inserts a row as the edge does.
    fn insert(&self, row: &Connection) -> impl Future<Output = ()>;

    /// Deletes a row as the edge does.
    fn delete(&self, user: &UserId, connection: &ConnectionId) -> impl Future<Output = ()>;

    /// The rows of a user as the dispatcher sees them, by connection id.
    fn rows(&self, user: &UserId) -> impl Future<Output = Vec<Connection>>;
}

/// The hubs' table at the other end.
pub trait HubRows {
    /// Adds a connection of a user to a hub as the edge does.
    fn join(&self, hub: &HubName, user: &UserId, connection: &str) -> impl Future<Output = ()>;

    /// The users in a hub as the dispatcher sees them, ascending.
    fn users(&self, hub: &HubName) -> impl Future<Output = Vec<UserId>>;
}

/// The receiving end of the notifications queue.
pub trait Deliveries {
    /// Takes all present entries of `user` off the queue and returns the sequences of their replays, in
    /// order.
    fn take(&mut self, user: &UserId) -> impl Future<Output = Vec<Sequence>>;
}

/// The history's messages at the other end.
pub trait HistoryRows {
    /// Records rows as the dispatcher does.
    fn record(&self, user: &UserId, rows: &[MessageRow]) -> impl Future<Output = ()>;

    /// The rows of a user, newest first, at most 1,000.
    fn recorded(&self, user: &UserId) -> impl Future<Output = Vec<MessageRow>>;
}
