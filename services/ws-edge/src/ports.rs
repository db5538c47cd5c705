//! What the edge needs of the world. Adapters give it: DynamoDB, SQS and API Gateway on AWS, embedded
//! storage in one process.

mod history;
mod off;

use std::future::Future;
use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey, HubMember};
use contract_notifications_v1::{FanOut, HubName, Notification, Sequence, Timestamp, UserId};
use shared_ports::PortError;

pub use history::{History, HistoryPage, NoHistory};
pub use off::Off;

use crate::RateLimit;

/// The Connections table, and the connections themselves, as the edge uses them.
pub trait Connections: Send + Sync {
    /// Stores a row. Once this has returned, a strongly consistent list has it, and its stream record will
    /// wake the replayer.
    fn put(&self, row: &Connection) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a row; one that is not there is no error.
    fn delete(&self, key: &ConnectionKey) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Every open connection of the user, strongly consistently.
    fn list(&self, user: &UserId) -> impl Future<Output = Result<Vec<Connection>, PortError>> + Send;

    /// Closes a connection, and deletes its row; one that is not there is no error.
    fn close(&self, key: &ConnectionKey) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The users' mailboxes, as the edge uses them.
pub trait Mailbox: Send + Sync {
    /// Deletes the rows of notifications that arrived; those not there are no error. `sequences` is
    /// ascending and names none twice, at most
    /// [`MAX_ACK_SEQUENCES`](contract_frames_v1::MAX_ACK_SEQUENCES). When it fails, some may have been
    /// deleted.
    fn acknowledge(
        &self,
        user: &UserId,
        sequences: &[Sequence],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A user in a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// Whether a connection of theirs has joined; if not, they are a member by the operator's decision.
    pub joined: bool,
}

/// Some members of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HubPage {
    /// The members, in the order of their users' ids, none twice.
    pub members: Vec<Member>,
    /// Whether there may be members after the last of them; never with no members at all.
    pub more: bool,
}

impl HubPage {
    /// Adds a row, of rows that are read in the order of their users. `false` when the page has `limit`
    /// members and this is of another one: then there is no need to read on.
    pub fn add(&mut self, user_id: UserId, joined: bool, limit: usize) -> bool {
        let has_room = self.members.len() < limit;
        match self.members.last_mut() {
            Some(last) if last.user_id == user_id => last.joined |= joined,
            _ if has_room => self.members.push(Member { user_id, joined }),
            _ => self.more = true,
        }
        !self.more
    }
}

/// The hubs' members, as the edge uses them.
pub trait Hubs: Send + Sync {
    /// Stores members, whether or not they are there.
    fn join(&self, members: &[HubMember]) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes members; those not there are no error. Only the hub and the key of each count.
    fn leave(&self, members: &[HubMember]) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Reads members in the order of their users' ids, strongly consistently: those after `after`, at most
    /// `limit`, which is at least 1. What expired by `now` is not there any more.
    fn members(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<HubPage, PortError>> + Send;

    /// Whether a user has joined a hub with any connection, or is a member by decision.
    fn has(&self, hub: &HubName, user: &UserId) -> impl Future<Output = Result<bool, PortError>> + Send;
}

/// The notifications queue, as the edge uses it.
pub trait Outbox: Send + Sync {
    /// Queues notifications of different users; what became of each, in their order. What is queued
    /// twice with one id is delivered once.
    fn send(
        &self,
        notifications: Vec<Notification>,
    ) -> impl Future<Output = Vec<Result<(), PortError>>> + Send;

    /// Queues a notification for every member of a hub.
    fn broadcast(&self, fan_out: FanOut) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Whose actions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateKey<'a> {
    /// Those of one connection.
    Connection(&'a ConnectionId),
    /// Those of all connections of a user.
    User(&'a UserId),
}

/// Counts what clients do.
pub trait RateLimits: Send + Sync {
    /// Counts one action at `now`. `Some` is how long it is until the next window when there were as many
    /// as are allowed in this one already.
    fn take(
        &self,
        key: RateKey<'_>,
        limit: RateLimit,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Duration>, PortError>> + Send;
}
