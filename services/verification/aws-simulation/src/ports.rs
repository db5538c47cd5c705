//! The services' ports on the simulated deployment.
//!
//! The tables are those of DynamoDB: a strongly consistent read returns every write that has returned, a query
//! reads at most 1 MiB
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html>), and a call may be
//! throttled (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey, FrameFormat};
use contract_history_v1::{HistoryOutcome, MessageRow};
use contract_notifications_v1::{QueueEntry, Replay, Sequence, Timestamp, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{
    BatchPorts, DeadLetter, DeadLetters, ForwardedEntry, History, HistoryPolicy, Homes, MailboxRow, Page,
    PageQuery, Push, PushFrame, Pushed, Redelivery,
};
use replayer::ports::{DuePage, DueReplay, DueReplays, KeyPage, MailboxKeys, RandomSource as _, ReplayEntry};
use shared_ports::PortError;
use shared_sync::IgnorePoison as _;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::fifo::Outgoing;
use crate::frames::{number_in, number_of, numbers};
use crate::gateway::connection_number;
use crate::log::EventKind;
use crate::mutant::Mutant;
use crate::world::{SimClock, SimRandom, World, millis_of, user_id, user_index, user_of};

/// Largest amount of data that one query reads, in bytes.
const QUERY_BYTES: usize = 1024 * 1024;
/// Age of what a stale read shows.
const STALE: Duration = Duration::from_secs(1);

/// The ports of dispatcher and edge.
#[derive(Debug, Clone)]
pub(crate) struct Aws(pub Arc<World>);

/// The dispatcher's adapters.
#[derive(Debug)]
pub(crate) enum DispatcherPorts {}

impl dispatcher::ports::Ports for DispatcherPorts {
    type Connections = Aws;
    type Mailbox = Aws;
    type Push = Aws;
    type Queue = Aws;
    type Clock = SimClock;
    type Jitter = SimRandom;
    type History = Aws;
}

impl BatchPorts for DispatcherPorts {
    type DeadLetters = Aws;
    type Redelivery = SourceQueue;
    type Members = Aws;
    type Homes = SourceQueue;
}

fn number(sequence: Sequence) -> u64 {
    u64::try_from(sequence.number()).unwrap_or(u64::MAX)
}

impl Aws {
    fn list(&self, user: usize) -> Vec<Connection> {
        let stale = self.0.has(Mutant::StaleList);
        let tables = self.0.tables();
        let of_user = tables.connections.iter().filter(|((owner, _), _)| *owner == user);
        let listed = of_user.filter(|(_, (_, inserted))| !stale || inserted.elapsed() > STALE);
        listed.map(|(_, (row, _))| row.clone()).collect()
    }

    fn enqueue(&self, entry: &Replay, deduplication_id: String) {
        let lost = self.0.has(Mutant::LosesReplayEntry) && self.0.random.chance(500)
            || self.0.has(Mutant::ForgetsTheRest) && entry.sequence == Sequence::MAX;
        if !lost {
            self.0.queue_of(entry.user_id.as_str()).send(Outgoing {
                group: entry.user_id.to_string(),
                deduplication_id,
                body: QueueEntry::Replay(entry.clone()).to_json(),
            });
        }
    }

    /// Deletes some of the rows that have expired, as the table does at some time
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>).
    fn reap(&self, user: usize) {
        let now = self.0.time_at(Instant::now());
        let early = self.0.has(Mutant::ReapsEarly);
        let mut tables = self.0.tables();
        tables.mailboxes.entry(user).or_default().retain(|_, (row, _)| {
            let expired = row.notification.expires_at.is_some_and(|at| at <= now || early);
            let stays = !expired || self.0.random.chance(700);
            if !stays {
                self.0.log(user, EventKind::Reaped { number: number_of(&row.notification.payload) });
            }
            stays
        });
    }

    fn delete(&self, user: usize, sequences: &[Sequence]) {
        let mut tables = self.0.tables();
        let mailbox = tables.mailboxes.entry(user).or_default();
        for sequence in sequences {
            mailbox.remove(&number(*sequence));
        }
    }
}

impl dispatcher::ports::Connections for Aws {
    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        let user = user_index(user.as_str());
        self.0.call(user, "listing connections", || self.list(user)).await
    }

    async fn forget(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        connected_at: Timestamp,
    ) -> Result<(), PortError> {
        let user = user_index(user.as_str());
        let forget = || {
            let mut tables = self.0.tables();
            let key = (user, connection.clone());
            if tables.connections.get(&key).is_some_and(|(row, _)| row.connected_at == connected_at) {
                tables.connections.remove(&key);
            }
        };
        self.0.call(user, "forgetting a connection", forget).await
    }
}

impl dispatcher::ports::Mailbox for Aws {
    async fn page(&self, user: &UserId, query: PageQuery) -> Result<Page, PortError> {
        let user = user_index(user.as_str());
        let page = || {
            let PageQuery { after, up_to, due_for, limit } = &query;
            let mut page = Page::default();
            let mut bytes = 0;
            self.reap(user);
            let tables = self.0.tables();
            for (row, _) in tables.mailboxes.get(&user).into_iter().flat_map(BTreeMap::values) {
                let is_in = after.is_none_or(|after| row.sequence > after) && row.sequence <= *up_to;
                if !is_in || due_for.iter().all(|connection| row.pushed_to.contains(connection)) {
                    continue;
                }
                bytes += row.notification.payload.get().len();
                if page.rows.len() >= (*limit).max(1) || bytes > QUERY_BYTES && !page.rows.is_empty() {
                    page.more = true;
                    break;
                }
                page.rows.push(row.clone());
            }
            page
        };
        self.0.call(user, "reading a mailbox", page).await
    }

    async fn put(&self, user: &UserId, rows: Vec<MailboxRow>) -> Result<(), PortError> {
        let user = user_index(user.as_str());
        let put = || {
            if self.0.has(Mutant::LosesPut) {
                return;
            }
            let mut tables = self.0.tables();
            let mailbox = tables.mailboxes.entry(user).or_default();
            for mut row in rows {
                if self.0.has(Mutant::StoresWithoutExpiry) {
                    Arc::make_mut(&mut row.notification).expires_at = None;
                }
                let expires_at = row.notification.expires_at.map(millis_of);
                let notification = number_of(&row.notification.payload);
                self.0.log(user, EventKind::Stored { number: notification, expires_at });
                mailbox.insert(number(row.sequence), (row, Instant::now()));
            }
        };
        self.0.call(user, "writing to a mailbox", put).await
    }

    async fn delete(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        let user = user_index(user.as_str());
        let delete = || {
            if !self.0.has(Mutant::LosesDelete) {
                self.delete(user, sequences);
            }
        };
        self.0.call(user, "deleting from a mailbox", delete).await
    }

    async fn mark(&self, user: &UserId, marks: &[(Sequence, ConnectionSet)]) -> Result<(), PortError> {
        let user = user_index(user.as_str());
        let mark = || {
            let mut tables = self.0.tables();
            let mailbox = tables.mailboxes.entry(user).or_default();
            for (sequence, connections) in marks {
                if let Some((row, _)) = mailbox.get_mut(&number(*sequence)) {
                    row.pushed_to.extend(connections.clone());
                }
            }
        };
        self.0.call(user, "marking rows", mark).await
    }
}

impl Push for Aws {
    async fn push(&self, _: &UserId, connection: &ConnectionId, frames: Vec<PushFrame>) -> Pushed {
        let connection = connection_number(connection);
        for (accepted, frame) in frames.iter().enumerate() {
            let text = String::from_utf8_lossy(&frame.text).into_owned();
            if let Err(error) = self.0.post(connection, text).await {
                return Pushed { accepted, error: Some(error) };
            }
        }
        Pushed { accepted: frames.len(), error: None }
    }
}

impl dispatcher::ports::ReplayQueue for Aws {
    async fn enqueue(&self, replay: Replay) -> Result<(), PortError> {
        let user = user_index(replay.user_id.as_str());
        let id = SimRandom(Arc::clone(&self.0)).deduplication_id().to_string();
        self.0.call(user, "queueing a replay", || self.enqueue(&replay, id)).await
    }

    async fn enqueue_later(&self, user: &UserId) -> Result<(), PortError> {
        let user = user_index(user.as_str());
        let schedule = || {
            let now = self.0.time_at(Instant::now());
            self.0.tables().due.insert(user, now);
        };
        self.0.call(user, "scheduling a replay", schedule).await
    }
}

impl History for Aws {
    fn policy(&self) -> Option<HistoryPolicy> {
        Some(HistoryPolicy { lifetime: Duration::from_hours(1), payloads: true })
    }

    async fn record(&self, user: &UserId, rows: Vec<MessageRow>) {
        sleep(self.0.random.millis(2, 15)).await;
        for MessageRow { payload, outcome, .. } in rows {
            if matches!(outcome, HistoryOutcome::Expired | HistoryOutcome::Dropped) {
                let number = payload.as_deref().and_then(number_in).unwrap_or(u32::MAX);
                self.0.log(user_index(user.as_str()), EventKind::Discarded { number, outcome });
            }
        }
    }
}

impl DeadLetters for Aws {
    async fn dead_letter(&self, letter: DeadLetter<'_>) -> Result<(), PortError> {
        let message = Outgoing {
            group: letter.group.to_owned(),
            deduplication_id: letter.message_id.to_owned(),
            body: letter.body.to_owned(),
        };
        let user = user_of(letter.group);
        self.0
            .call(user, "sending a dead letter", || self.0.queue_of(letter.group).dead_letter(message))
            .await
    }
}

/// The queue that a dispatcher's batches come from.
#[derive(Debug, Clone)]
pub(crate) struct SourceQueue {
    /// The deployment.
    pub(crate) world: Arc<World>,
    /// Index of the queue.
    pub(crate) source: usize,
}

impl Homes for SourceQueue {
    fn is_home(&self, group: &str) -> bool {
        self.world.home(group) == self.source || self.world.has(Mutant::NeverForwards)
    }

    async fn forward(&self, entry: ForwardedEntry<'_>) -> Result<(), PortError> {
        let ForwardedEntry { group, deduplication_id, body } = entry;
        let number = numbers(FrameFormat::Single, &body).first().copied();
        let message =
            Outgoing { group: group.to_owned(), deduplication_id: deduplication_id.to_owned(), body };
        let user = user_of(group);
        let forward = || {
            let sequence = self.world.queue_of(group).send(message);
            if let (Some(number), Some(user)) = (number, user) {
                self.world.log(user, EventKind::Forwarded { number, sequence });
            }
        };
        self.world.call(user, "forwarding an entry", forward).await
    }
}

impl Redelivery for SourceQueue {
    async fn postpone(&self, receipts: &[&str], delay: Duration) -> Result<(), PortError> {
        const OPERATION: &str = "changing the visibility of entries";
        let world = &self.world;
        let queue = &world.queues[self.source];
        let group = receipts.first().and_then(|receipt| queue.group_of(receipt));
        let Some(user) = group.map(|group| user_of(&group)) else {
            return Err(PortError::permanent(OPERATION, crate::fifo::NotInFlight));
        };
        let renews = delay == world.plan.queue.visibility;
        if renews && world.has(Mutant::IgnoresVisibility) {
            return Ok(());
        }
        let hangs = user.is_some_and(|user| world.plan.users[user].trouble.hanging_postponement);
        if !renews && world.faults() && hangs {
            std::future::pending::<()>().await;
        }
        let change = || receipts.iter().try_for_each(|receipt| queue.change_visibility(receipt, delay));
        world.call(user, OPERATION, change).await?.map_err(|error| PortError::permanent(OPERATION, error))
    }
}

impl ws_edge::ports::Connections for Aws {
    async fn put(&self, row: &Connection) -> Result<(), PortError> {
        let user = user_index(row.user_id.as_str());
        let mut row = row.clone();
        let slow = self.0.plan.users[user].trouble.slow_handshake.filter(|_| self.0.faults());
        // The write is late, and so is its answer.
        let half = slow.unwrap_or_default() / 2;
        sleep(half).await;
        if self.0.has(Mutant::HandshakeWithoutLimit) {
            let connection = connection_number(&row.connection_id);
            let began = self.0.gateway.sockets()[connection as usize].began;
            row.connected_at = self.0.time_at(began);
        }
        let stored = self.0.call(user, "storing a connection", || self.0.insert_connection(user, row)).await;
        sleep(half).await;
        stored
    }

    async fn delete(&self, key: &ConnectionKey) -> Result<(), PortError> {
        let user = user_index(key.user_id.as_str());
        let delete = || {
            self.0.tables().connections.remove(&(user, key.connection_id.clone()));
        };
        self.0.call(user, "deleting a connection", delete).await
    }

    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        let listed = dispatcher::ports::Connections::list(self, user).await;
        if self.0.has(Mutant::ListsNoOther) { listed.map(|_| Vec::new()) } else { listed }
    }

    async fn close(&self, key: &ConnectionKey) -> Result<(), PortError> {
        self.0.close(connection_number(&key.connection_id));
        ws_edge::ports::Connections::delete(self, key).await
    }
}

impl ws_edge::ports::Mailbox for Aws {
    async fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        let user = user_index(user.as_str());
        let acknowledge = || {
            if !self.0.has(Mutant::LosesAck) {
                self.delete(user, sequences);
            }
        };
        self.0.call(user, "deleting acknowledged rows", acknowledge).await
    }
}

/// What an invocation of the replayer did for a user: the number of reads, and the entries.
pub(crate) type Work = (usize, BTreeSet<Uuid>);

/// The replayer's ports in one invocation, and what it did for each user.
#[derive(Debug)]
pub(crate) struct ReplayerAws {
    /// The deployment.
    pub(crate) world: Arc<World>,
    /// Work done for each user.
    pub(crate) work: Arc<Mutex<BTreeMap<usize, Work>>>,
}

/// The replayer's adapters.
#[derive(Debug)]
pub(crate) enum ReplayerPorts {}

impl replayer::ports::Ports for ReplayerPorts {
    type Mailbox = ReplayerAws;
    type Queue = ReplayerAws;
    type Clock = SimClock;
    type Random = SimRandom;
}

impl ReplayerAws {
    /// Records what the invocation does for a user.
    fn record(&self, user: usize, work: impl FnOnce(&mut Work)) {
        work(self.work.lock().ignore_poison().entry(user).or_default());
    }
}

impl MailboxKeys for ReplayerAws {
    async fn keys(&self, user: &UserId, after: Option<Sequence>, limit: usize) -> Result<KeyPage, PortError> {
        let user = user_index(user.as_str());
        let read = || {
            let stale = self.world.has(Mutant::StaleKeys);
            let tables = self.world.tables();
            let rows = tables.mailboxes.get(&user).into_iter().flatten();
            let after = after.map_or(0, number);
            let mut keys = rows
                .filter(|(key, (_, put))| **key > after && (!stale || put.elapsed() > STALE))
                .map(|(key, _)| Sequence::new((*key).into()));
            let sequences: Vec<_> = keys.by_ref().take(limit.max(1)).collect();
            KeyPage { sequences, more: keys.next().is_some() }
        };
        let page = self.world.call(user, "reading keys", read).await?;
        self.record(user, |(reads, _)| *reads += 1);
        Ok(page)
    }
}

impl replayer::ports::ReplayQueue for ReplayerAws {
    async fn send(&self, batch: &[ReplayEntry]) -> Result<Vec<usize>, PortError> {
        let aws = Aws(Arc::clone(&self.world));
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let send = || {
            for entry in batch {
                aws.enqueue(&entry.replay, entry.deduplication_id.to_string());
                let user = user_index(entry.replay.user_id.as_str());
                self.record(user, |(_, entries)| entries.extend([entry.deduplication_id]));
            }
            Vec::new()
        };
        self.world.call(user_index(first.replay.user_id.as_str()), "queueing replays", send).await
    }
}

impl DueReplays for Aws {
    async fn due(&self, after: Option<&DueReplay>, limit: usize) -> Result<DuePage, PortError> {
        sleep(self.0.random.millis(2, 15)).await;
        let after = after.map(|due| user_index(due.user_id.as_str()));
        let tables = self.0.tables();
        let mut rest = tables.due.iter().filter(|(user, _)| after.is_none_or(|after| **user > after));
        let due = rest.by_ref().take(limit);
        let due = due.map(|(user, at)| DueReplay { user_id: user_id(*user), scheduled_at: *at }).collect();
        Ok(DuePage { due, more: rest.next().is_some() })
    }

    async fn remove(&self, due: &DueReplay) -> Result<(), PortError> {
        let user = user_index(due.user_id.as_str());
        let remove = || {
            let mut tables = self.0.tables();
            if tables.due.get(&user) == Some(&due.scheduled_at) {
                tables.due.remove(&user);
            }
        };
        self.0.call(user, "unscheduling a replay", remove).await
    }
}
