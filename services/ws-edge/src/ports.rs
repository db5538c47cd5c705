//! The narrow traits through which the edge reaches storage, the queue and its connections. They use domain
//! types only: adapters on DynamoDB, SQS and API Gateway implement them on AWS, embedded storage implements
//! them in one process.
//!
//! [`Ports`] lists the adapters of one edge.

mod history;

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey, HubMember};
use contract_notifications_v1::{FanOut, HubName, Notification, Sequence, Timestamp, UserId};
use shared_ports::PortError;

pub use history::{History, HistoryPage, NoHistory};

use crate::config::RateLimit;

/// The adapters of one [`Edge`](crate::Edge), as one type parameter.
///
/// The implementing type is a compile-time list and never has a value.
/// [`DeliveryOnly`](crate::DeliveryOnly) is the list of an edge without client messages and history.
pub trait Ports {
    /// The Connections table and the connections themselves.
    type Connections: Connections;
    /// The mailboxes.
    type Mailbox: Mailbox;
    /// The time.
    type Clock: shared_ports::Clock;
    /// The hubs' members.
    type Hubs: Hubs;
    /// The notifications queue.
    type MessageQueue: MessageQueue;
    /// The counters of clients' actions.
    type RateLimits: RateLimits;
    /// The history of sessions and messages.
    type History: History;
}

/// Stores and closes connections.
pub trait Connections: Send + Sync {
    /// Stores a row. Once it returns, a strongly consistent list contains the row, and the row's stream
    /// record will wake the replayer.
    fn put(&self, row: &Connection) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a row. Succeeds if the row doesn't exist.
    fn delete(&self, key: &ConnectionKey) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Lists the user's open connections, strongly consistently.
    fn list(&self, user: &UserId) -> impl Future<Output = Result<Vec<Connection>, PortError>> + Send;

    /// Closes a connection and deletes its row. Succeeds if neither exists.
    fn close(&self, key: &ConnectionKey) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Deletes acknowledged notifications from users' mailboxes.
pub trait Mailbox: Send + Sync {
    /// Deletes the user's rows with these sequences; missing rows are ignored. `sequences` ascend without
    /// duplicates and are at most [`MAX_ACK_SEQUENCES`](contract_frames_v1::MAX_ACK_SEQUENCES).
    ///
    /// After an error, some of the rows may be deleted.
    fn acknowledge(
        &self,
        user: &UserId,
        sequences: &[Sequence],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A user in a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user_id: UserId,
    /// True if a connection of the user has joined. False if only the operator's configuration makes the user
    /// a member.
    pub joined: bool,
}

/// A page of a hub's members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HubPage {
    /// The members, in ascending order of their users' ids, without duplicates.
    pub members: Vec<Member>,
    /// True if there may be members after the last one. Never true on an empty page.
    pub more: bool,
}

impl HubPage {
    /// Adds a row; rows come in ascending order of their users, several for a user with several connections.
    ///
    /// Returns false if the page already has `limit` members and the row belongs to another one: the page is
    /// complete, and the caller can stop reading.
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

/// Stores and reads the members of hubs.
pub trait Hubs: Send + Sync {
    /// Stores members. Rows that exist are overwritten.
    fn join(&self, members: &[HubMember]) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes members, found by hub and member key; missing rows are ignored.
    fn leave(&self, members: &[HubMember]) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Reads at most `limit` members with user ids after `after`, in ascending order of user ids, strongly
    /// consistently. Rows that expired by `now` are left out. `limit` is at least 1.
    fn members(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<HubPage, PortError>> + Send;

    /// Returns the number of connections and permanent members of a hub, at least that of its users. `None` if that takes
    /// reading them.
    fn size(&self, hub: &HubName) -> impl Future<Output = Option<usize>> + Send {
        let _ = hub;
        async { None }
    }

    /// Returns true if the user is in the hub, with a connection or by the operator's configuration. A row
    /// that has expired may still count.
    fn has(&self, hub: &HubName, user: &UserId) -> impl Future<Output = Result<bool, PortError>> + Send;
}

/// Queues the messages that clients send.
pub trait MessageQueue: Send + Sync {
    /// Queues notifications, each for another user, and returns one result for each, in order. A notification
    /// queued twice under one id is delivered once.
    fn send(
        &self,
        notifications: Vec<Notification>,
    ) -> impl Future<Output = Vec<Result<(), PortError>>> + Send;

    /// Queues a notification for every member of a hub. Members may get theirs later than what is sent to them next.
    fn broadcast(&self, fan_out: FanOut) -> impl Future<Output = Result<(), PortError>> + Send;

    /// As [`MessageQueue::broadcast`], but waits a while until every member's notification is queued, if it can tell, so
    /// that what is sent to the members next comes behind it.
    fn broadcast_in_order(
        &self,
        fan_out: FanOut,
    ) -> impl Future<Output = Result<FanOutProgress, PortError>> + Send {
        async { self.broadcast(fan_out).await.map(|()| FanOutProgress::Pending) }
    }
}

/// Progress of an accepted broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FanOutProgress {
    /// Every member's notification is queued.
    Complete,
    /// Some members' notifications are queued later.
    Pending,
}

/// A counter of clients' actions, and its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateKey<'a> {
    /// Actions of one connection.
    Connection(&'a ConnectionId),
    /// A count of one user, over all connections.
    User(Counted, &'a UserId),
    /// A count of all guests of one address together.
    Guests(Counted, IpAddr),
}

impl<'a> RateKey<'a> {
    /// Returns the key of what a user does; of a guest, that of the guests of its address: whoever may be any number of
    /// guests may do no more than one user.
    pub(crate) fn of_sender(counted: Counted, user: &'a UserId, guest_of: Option<IpAddr>) -> Self {
        guest_of.map_or(Self::User(counted, user), |address| Self::Guests(counted, address))
    }
}

/// The kinds of counts of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Actions.
    Actions,
    /// Sequences that the user acknowledges.
    Acknowledgements,
    /// Recipients of the user's messages.
    Recipients,
    /// Members of hubs whom the user's messages reach.
    HubMembers,
    /// Arrivals that other members are told.
    Arrivals,
    /// Bytes of the user's messages.
    Bytes,
    /// Bytes of the user's messages that may be held.
    Held,
    /// Bytes that clients put into the user's mailbox.
    Mailbox,
}

/// Counts clients' actions, recipients and bytes.
pub trait RateLimits: Send + Sync {
    /// Counts `amount` at `now`. Returns `None` if it is within `limit`, else the time until the next window begins.
    /// The first amount of a window is always within the limit.
    fn take(
        &self,
        key: RateKey<'_>,
        limit: RateLimit,
        amount: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Duration>, PortError>> + Send;
}
