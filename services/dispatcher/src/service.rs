//! Drives runs: carries out the machine's commands through the ports.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract_connections_v1::{Connection, FrameFormat};
use contract_frames_v1::{encode_batch, encode_single};
use contract_history_v1::MessageRow;
use contract_notifications_v1::{Notification, Replay, Timestamp, UserId};
use futures_util::future::join_all;
use shared_ports::{Clock, PortError};
use shared_retry::{Jitter, RetryPolicy, ThreadRandom};

use crate::core::batch::item;
use crate::core::run::{
    Command, Entry, Event, Frame, Held, Limits, Live, PushOrder, PushReport, Refusal, Report, Run, Stats,
};
use crate::history::{Happened, Observer};
use crate::ports::{
    Connections, History, HistoryPolicy, Mailbox, MailboxRow, NoHistory, Page, PageQuery, Push, PushError,
    Pushed, ReplayQueue,
};

/// What a body is outside the core.
type Body = Arc<Notification>;

/// How the dispatcher works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The limits each run keeps.
    pub limits: Limits,
    /// Delays between attempts to push.
    pub retry: RetryPolicy,
}

impl Default for Settings {
    fn default() -> Self {
        let retry = RetryPolicy { initial: Duration::from_millis(50), max: Duration::from_secs(2) };
        Self { limits: Limits::default(), retry }
    }
}

/// The dispatcher over its ports.
#[derive(Debug, Clone)]
pub struct Dispatcher<C, M, P, Q, K, R = ThreadRandom, H = NoHistory> {
    /// The Connections table.
    pub connections: C,
    /// The mailboxes.
    pub mailbox: M,
    /// The way to the clients.
    pub push: P,
    /// The notifications queue.
    pub queue: Q,
    /// The time.
    pub clock: K,
    /// The jitter of its delays.
    pub jitter: R,
    /// How it works.
    pub settings: Settings,
    /// The history of what became of notifications.
    pub history: H,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Dispatched {
    /// What is to become of its entries.
    pub(crate) report: Report,
    /// What the history is to have of it.
    pub(crate) history: Vec<MessageRow>,
}

impl<C, M, P, Q, K, R, H> Dispatcher<C, M, P, Q, K, R, H>
where
    C: Connections,
    M: Mailbox,
    P: Push,
    Q: ReplayQueue,
    K: Clock,
    R: Jitter,
    H: History,
{
    /// Decides and does what becomes of the consecutive entries of one user.
    ///
    /// There must be no other run of this user at the same time: the queue's message group sees to that.
    /// Attempts to push are repeated until `deadline`. Failures show in the report's outcomes. What became of
    /// the notifications is recorded in the history when the run is over.
    pub async fn dispatch(&self, user: &UserId, entries: Vec<Entry<Body>>, deadline: Timestamp) -> Report {
        let Dispatched { report, history } = self.dispatch_unrecorded(user, entries, deadline).await;
        if !history.is_empty() {
            self.history.record(user, history).await;
        }
        report
    }

    /// [`Dispatcher::dispatch`], except that the caller records the history.
    pub(crate) async fn dispatch_unrecorded(
        &self,
        user: &UserId,
        entries: Vec<Entry<Body>>,
        deadline: Timestamp,
    ) -> Dispatched {
        let mut watched = self.history.policy().map(|policy| (policy, Observer::new(&entries)));
        let (mut run, mut command) = Run::start(self.settings.limits, entries);
        loop {
            if let Command::Finish(report) = command {
                count(report.stats);
                let history = watched.map_or_else(Vec::new, |(policy, observer)| {
                    let happened = observer.finish(&report, self.clock.now());
                    happened.into_iter().map(|happened| message_row(happened, policy)).collect()
                });
                return Dispatched { report, history };
            }
            if let Some((_, observer)) = &mut watched {
                observer.ordered(&command);
            }
            let event = self.carry_out(user, command, deadline).await.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "a run failed and is repeated");
                Event::Failed
            });
            let now = self.clock.now();
            if let Some((_, observer)) = &mut watched {
                observer.came(&event, now);
            }
            command = run.on(event, now);
        }
    }

    async fn carry_out(
        &self,
        user: &UserId,
        command: Command<Body>,
        deadline: Timestamp,
    ) -> Result<Event<Body>, PortError> {
        Ok(match command {
            Command::ListConnections => {
                Event::Listed(self.connections.list(user).await?.into_iter().map(live).collect())
            }
            Command::ReadPage { after, up_to, due_for, limit } => {
                let query = PageQuery { after, up_to, due_for, limit };
                let Page { rows, more } = self.mailbox.page(user, query).await?;
                Event::Page { rows: rows.into_iter().map(held).collect(), more }
            }
            Command::Put(rows) => {
                self.mailbox.put(user, rows.into_iter().map(row).collect()).await?;
                Event::Done
            }
            Command::Delete(sequences) => {
                self.mailbox.delete(user, &sequences).await?;
                Event::Done
            }
            Command::Mark(marks) => {
                self.mailbox.mark(user, &marks).await?;
                Event::Done
            }
            Command::Forget(gone) => {
                for Live { id, connected_at, .. } in gone {
                    self.connections.forget(user, &id, connected_at).await?;
                }
                Event::Done
            }
            Command::Push(orders) => Event::Pushed(self.push_all(user, &orders).await),
            Command::Wait { attempt } => {
                let delay = self.jitter.delay(&self.settings.retry, attempt);
                if self.clock.now().plus(delay) > deadline {
                    return Ok(Event::OutOfTime);
                }
                self.clock.sleep(delay).await;
                Event::Waited
            }
            Command::EnqueueReplay(sequence) => {
                self.queue.enqueue(Replay { user_id: user.clone(), sequence }).await?;
                Event::Done
            }
            // The caller ends the loop before it gets here.
            Command::Finish(_) => Event::Failed,
        })
    }

    async fn push_all(&self, user: &UserId, orders: &[PushOrder<Body>]) -> Vec<PushReport> {
        let frames = encode(orders);
        let mut pushes =
            orders.iter().zip(frames).map(|(order, frames)| self.push.push(user, &order.connection, frames));
        let outcomes = match (pushes.next(), orders.len()) {
            // Most users have one connection.
            (Some(only), 1) => vec![only.await],
            (first, _) => join_all(first.into_iter().chain(pushes)).await,
        };
        let now = self.clock.now();
        orders.iter().zip(outcomes).map(|(order, outcome)| push_report(order, outcome, now)).collect()
    }
}

/// The frames of each order, encoded once where orders share them.
fn encode(orders: &[PushOrder<Body>]) -> Vec<Vec<Bytes>> {
    let mut encoded: Vec<(FrameFormat, &Frame<Body>, Bytes)> = Vec::new();
    let sequences = |frame: &Frame<Body>| frame.items.iter().map(|i| i.item.sequence).collect::<Vec<_>>();
    let mut all = Vec::with_capacity(orders.len());
    for PushOrder { format, frames, .. } in orders {
        let mut own = Vec::with_capacity(frames.len());
        for frame in frames {
            let same = |(other, known, _): &&(FrameFormat, &Frame<Body>, Bytes)| {
                other == format && sequences(known) == sequences(frame)
            };
            let bytes = match encoded.iter().find(same) {
                Some((_, _, bytes)) => bytes.clone(),
                None => encode_frame(*format, frame),
            };
            if orders.len() > 1 {
                encoded.push((*format, frame, bytes.clone()));
            }
            own.push(bytes);
        }
        all.push(own);
    }
    all
}

fn encode_frame(format: FrameFormat, frame: &Frame<Body>) -> Bytes {
    let mut text = Vec::with_capacity(frame.items.iter().map(|i| i.item.len).sum::<usize>() + 64);
    match (format, frame.items.as_slice()) {
        (FrameFormat::Raw, items) => {
            // A raw connection's frames carry one payload each.
            for i in items {
                text.extend_from_slice(i.item.body.payload.get().as_bytes());
            }
        }
        (_, [only]) => encode_single(&mut text, &only.item.body, only.item.sequence, only.replayed),
        (_, items) => {
            encode_batch(&mut text, items.iter().map(|i| (&*i.item.body, i.item.sequence, i.replayed)));
        }
    }
    text.into()
}

fn push_report(order: &PushOrder<Body>, Pushed { accepted, error }: Pushed, now: Timestamp) -> PushReport {
    for item in order.frames.iter().take(accepted).flat_map(|frame| &frame.items).filter(|i| !i.replayed) {
        let latency = now.since(item.item.body.sent_at);
        metrics::histogram!("tidings_push_latency_seconds").record(latency.as_secs_f64());
    }
    let refusal = error.map(|error| match error {
        PushError::Gone => Refusal::Gone,
        PushError::Unavailable(_) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a push is repeated");
            Refusal::Unavailable
        }
    });
    PushReport { accepted, refusal }
}

fn count(stats: Stats) {
    let Stats { delivered, replayed, held, deferred, expired, dropped, gone } = stats;
    for (name, count) in [
        ("tidings_delivered_total", delivered),
        ("tidings_replayed_total", replayed),
        ("tidings_held_total", held + deferred),
        ("tidings_expired_total", expired),
        ("tidings_dropped_total", dropped),
        ("tidings_gone_total", gone),
    ] {
        if count > 0 {
            metrics::counter!(name).increment(count as u64);
        }
    }
}

fn message_row(happened: Happened<Body>, policy: HistoryPolicy) -> MessageRow {
    let Happened { sequence, body, what, at } = happened;
    let row = MessageRow::new(&body, sequence, what, at, policy.lifetime);
    if policy.payloads { row.with_payload(&body) } else { row }
}

fn live(connection: Connection) -> Live {
    let Connection { connection_id, connected_at, acknowledges, format, .. } = connection;
    Live { id: connection_id, connected_at, acknowledges, format }
}

fn held(row: MailboxRow) -> Held<Body> {
    Held { item: item(row.notification, row.sequence), pushed_to: row.pushed_to }
}

/// The row to write. A deferred notification that is not to be held got its expiry from the run.
fn row(Held { item, pushed_to }: Held<Body>) -> MailboxRow {
    let mut notification = item.body;
    if notification.expires_at != item.expires_at {
        Arc::make_mut(&mut notification).expires_at = item.expires_at;
    }
    MailboxRow { sequence: item.sequence, notification, pushed_to }
}
