//! What other services do with the tables and the queue that a suite looks at through one service's ports.

use std::future::Future;

use contract_connections_v1::{Connection, ConnectionId};
use contract_history_v1::MessageRow;
use contract_notifications_v1::{HubName, Sequence, UserId};

/// A mailbox, as the dispatcher fills it.
pub trait MailboxRows {
    /// Holds notifications `numbers`, none of them pushed to anybody.
    fn hold(&self, user: &UserId, numbers: &[u64]) -> impl Future<Output = ()>;

    /// Deletes rows.
    fn delete(&self, user: &UserId, numbers: &[u64]) -> impl Future<Output = ()>;

    /// What is held, ascending.
    fn held(&self, user: &UserId) -> impl Future<Output = Vec<Sequence>>;
}

/// The Connections table, from its other side.
pub trait ConnectionRows {
    /// Inserts a row, as the edge does.
    fn insert(&self, row: &Connection) -> impl Future<Output = ()>;

    /// Deletes a row, as the edge does.
    fn delete(&self, user: &UserId, connection: &ConnectionId) -> impl Future<Output = ()>;

    /// The rows of a user, as the dispatcher sees them, by connection id.
    fn rows(&self, user: &UserId) -> impl Future<Output = Vec<Connection>>;
}

/// The hubs' table, from its other side.
pub trait HubRows {
    /// Has a connection of a user join a hub, as the edge does.
    fn join(&self, hub: &HubName, user: &UserId, connection: &str) -> impl Future<Output = ()>;

    /// The users in a hub, ascending, as the dispatcher sees them.
    fn users(&self, hub: &HubName) -> impl Future<Output = Vec<UserId>>;
}

/// The receiving end of the notifications queue.
pub trait Deliveries {
    /// Takes all entries that are there for `user` off the queue, and gives the rows their replay entries
    /// name, in order.
    fn take(&mut self, user: &UserId) -> impl Future<Output = Vec<Sequence>>;
}

/// What became of notifications in the history, from its other side.
pub trait HistoryRows {
    /// Records rows, as the dispatcher does.
    fn record(&self, user: &UserId, rows: &[MessageRow]) -> impl Future<Output = ()>;

    /// The rows of a user, newest first, at most 1,000.
    fn recorded(&self, user: &UserId) -> impl Future<Output = Vec<MessageRow>>;
}
