//! Drives runs: carries out the state machine's commands through the ports.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionId, FrameFormat};
use contract_frames_v1::{encode_batch, encode_single};
use contract_history_v1::MessageRow;
use contract_notifications_v1::{Notification, Replay, Sequence, Timestamp, UserId, WhenOffline};
use futures_util::future::join_all;
use shared_ports::{Clock as _, PortError};
use shared_retry::{Jitter as _, RetryPolicy};
use shared_telemetry::chain;

use crate::budget::RunTime;
use crate::core::batch::item;
use crate::core::run::{
    Command, Entry, Event, Frame, HeldItem, Limits, OpenConnection, PushReport, PushRequest, Refusal, Report,
    Run, SetAside, Stats,
};
use crate::history::{DeliveryEvent, Observer};
use crate::ports::{
    Connections as _, History as _, HistoryPolicy, Mailbox as _, MailboxRow, Page, PageQuery, Ports,
    Push as _, PushError, PushFrame, Pushed, ReplayQueue as _,
};
use crate::raw;

/// The body of an [`Item`](crate::core::run::Item) outside the core.
type Body = Arc<Notification>;

/// Settings of the dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The limits of each run.
    pub limits: Limits,
    /// Delays between attempts to push.
    pub retry: RetryPolicy,
    /// True if a payload that a client wrote reaches raw connections as it is, though it may name any sender.
    pub raw_without_sender: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let retry = RetryPolicy { initial: Duration::from_millis(50), max: Duration::from_secs(2) };
        Self { limits: Limits::default(), retry, raw_without_sender: false }
    }
}

/// Dispatches the entries of users, one run at a time for each user.
///
/// A dispatcher has no state of its own. Runs of different users may share it concurrently.
pub struct Dispatcher<P: Ports> {
    /// The Connections table.
    pub connections: P::Connections,
    /// The users' mailboxes.
    pub mailbox: P::Mailbox,
    /// Pushes to clients.
    pub push: P::Push,
    /// The notifications queue.
    pub queue: P::Queue,
    /// The clock.
    pub clock: P::Clock,
    /// The jitter of retry delays.
    pub jitter: P::Jitter,
    /// Limits and delays.
    pub settings: Settings,
    /// The history of deliveries.
    pub history: P::History,
}

/// Result of a run whose history is not recorded yet.
#[derive(Debug)]
pub(crate) struct Dispatched {
    /// The outcomes of the entries.
    pub(crate) report: Report,
    /// The rows to record in the history.
    pub(crate) history: Vec<MessageRow>,
}

impl<P: Ports> Dispatcher<P> {
    /// Dispatches the consecutive entries of one user and records their history.
    ///
    /// There must be no other run of this user at the same time; the queue's message group ensures that.
    /// Pushes are attempted until `deadline`. Failed entries have the outcome `Retry` in the report.
    ///
    /// If the future is dropped, no outcome is known, and the queue must deliver all entries again.
    pub async fn dispatch(&self, user: &UserId, entries: Vec<Entry<Body>>, deadline: Timestamp) -> Report {
        // Measured by a clock that never jumps, so that the time of day can't make a run go on for hours.
        let time = RunTime::alone(self.clock.moment().plus(deadline.since(self.clock.now())));
        let Dispatched { report, history } =
            self.dispatch_unrecorded(user, entries, time, SetAside::Never).await;
        if !history.is_empty() {
            self.history.record(user, history).await;
        }
        report
    }

    /// Dispatches as [`Dispatcher::dispatch`] does, but leaves the recording of the history to the caller.
    pub(crate) async fn dispatch_unrecorded(
        &self,
        user: &UserId,
        entries: Vec<Entry<Body>>,
        time: RunTime<'_>,
        set_aside: SetAside,
    ) -> Dispatched {
        let mut history = self.history.policy().map(|policy| (policy, Observer::new(&entries)));
        let (run, mut command) = Run::start(self.settings.limits, entries);
        let mut run = run.set_aside(set_aside);
        loop {
            if let Command::Finish(report) = command {
                count(report.stats);
                let history = history.map_or_else(Vec::new, |(policy, observer)| {
                    let events = observer.finish(&report, self.clock.now());
                    events.into_iter().map(|event| message_row(event, policy)).collect()
                });
                return Dispatched { report, history };
            }
            if let Some((_, observer)) = &mut history {
                observer.on_command(&command);
            }
            let event = self.carry_out(user, command, time).await.unwrap_or_else(|error| {
                tracing::warn!(error = chain(&error), "command of a run failed");
                Event::Failed
            });
            let now = self.clock.now();
            if let Some((_, observer)) = &mut history {
                observer.on_event(&event, now);
            }
            command = run.on(event, now);
        }
    }

    async fn carry_out(
        &self,
        user: &UserId,
        command: Command<Body>,
        time: RunTime<'_>,
    ) -> Result<Event<Body>, PortError> {
        Ok(match command {
            Command::ListConnections => {
                Event::Listed(self.connections.list(user).await?.into_iter().map(open_connection).collect())
            }
            Command::ReadPage { after: Some(_), .. } if self.is_late(time) => Event::OutOfTime,
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
                for OpenConnection { id, connected_at, .. } in gone {
                    self.connections.forget(user, &id, connected_at).await?;
                }
                Event::Done
            }
            Command::Push(requests) => Event::Pushed(self.push_all(user, &requests, time).await),
            Command::Wait { attempt } => {
                let delay = self.jitter.delay(&self.settings.retry, attempt);
                if self.clock.moment().plus(delay) > time.retries() {
                    return Ok(Event::OutOfTime);
                }
                self.clock.sleep(delay).await;
                Event::Waited
            }
            Command::EnqueueReplay(sequence) => {
                self.queue.enqueue(Replay { user_id: user.clone(), sequence }).await?;
                Event::Done
            }
            Command::ScheduleReplay => {
                self.queue.enqueue_later(user).await?;
                Event::Done
            }
            // The caller stops at this command.
            Command::Finish(_) => Event::Failed,
        })
    }

    fn is_late(&self, time: RunTime<'_>) -> bool {
        self.clock.moment() >= time.retries()
    }

    /// Pushes frames to one connection. If other runs may wait for this one, pushes none after its time is over,
    /// except for the first.
    async fn push_frames(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        frames: Vec<PushFrame>,
        time: RunTime<'_>,
    ) -> Pushed {
        if !time.is_shared() {
            return self.push.push(user, connection, frames).await;
        }
        for (accepted, frame) in frames.iter().enumerate() {
            if accepted > 0 && self.is_late(time) {
                return Pushed { accepted, error: Some(PushError::Unavailable(OutOfTime.into())) };
            }
            if let Some(error) = self.push.push(user, connection, vec![frame.clone()]).await.error {
                return Pushed { accepted, error: Some(error) };
            }
        }
        Pushed { accepted: frames.len(), error: None }
    }

    async fn push_all(
        &self,
        user: &UserId,
        requests: &[PushRequest<Body>],
        time: RunTime<'_>,
    ) -> Vec<PushReport> {
        let frames = encode(requests, self.settings.raw_without_sender);
        let mut pushes = requests
            .iter()
            .zip(frames)
            .map(|(request, frames)| self.push_frames(user, &request.connection, frames, time));
        let outcomes = match (pushes.next(), requests.len()) {
            // Most users have one connection.
            (Some(only), 1) => vec![only.await],
            (first, _) => join_all(first.into_iter().chain(pushes)).await,
        };
        let now = self.clock.now();
        requests.iter().zip(outcomes).map(|(request, outcome)| push_report(request, outcome, now)).collect()
    }
}

/// The cause of an [`Unavailable`](PushError::Unavailable) push that was not attempted.
#[derive(Debug, thiserror::Error)]
#[error("the time of the run is over")]
struct OutOfTime;

/// Encodes the frames of each request. Requests with the same frame in the same format share its bytes.
fn encode(requests: &[PushRequest<Body>], raw_without_sender: bool) -> Vec<Vec<PushFrame>> {
    let mut encoded: Vec<(FrameFormat, &Frame<Body>, PushFrame)> = Vec::new();
    let sequences = |frame: &Frame<Body>| frame.items.iter().map(|i| i.item.sequence).collect::<Vec<_>>();
    let mut all = Vec::with_capacity(requests.len());
    for PushRequest { format, frames, .. } in requests {
        let mut own = Vec::with_capacity(frames.len());
        for frame in frames {
            let same = |(other, known, _): &&(FrameFormat, &Frame<Body>, PushFrame)| {
                other == format && sequences(known) == sequences(frame)
            };
            let push_frame = match encoded.iter().find(same) {
                Some((_, _, known)) => known.clone(),
                None => PushFrame {
                    text: encode_frame(*format, frame, raw_without_sender),
                    sequences: stored(frame),
                },
            };
            if requests.len() > 1 {
                encoded.push((*format, frame, push_frame.clone()));
            }
            own.push(push_frame);
        }
        all.push(own);
    }
    all
}

/// Returns the notifications of a frame that are in the mailbox if a client acknowledges.
fn stored(frame: &Frame<Body>) -> Vec<Sequence> {
    let items = frame.items.iter().filter(|i| i.replayed || i.item.when_offline == WhenOffline::Hold);
    items.map(|i| i.item.sequence).collect()
}

fn encode_frame(format: FrameFormat, frame: &Frame<Body>, raw_without_sender: bool) -> Bytes {
    let mut text = Vec::with_capacity(frame.items.iter().map(|i| i.item.len).sum::<usize>() + 64);
    match (format, frame.items.as_slice()) {
        (FrameFormat::Raw, items) => {
            // A frame of a raw connection contains one payload.
            for i in items {
                raw::encode(&mut text, &i.item.body, raw_without_sender);
            }
        }
        (_, [only]) => encode_single(&mut text, &only.item.body, only.item.sequence, only.replayed),
        (_, items) => {
            encode_batch(&mut text, items.iter().map(|i| (&*i.item.body, i.item.sequence, i.replayed)));
        }
    }
    text.into()
}

fn push_report(
    request: &PushRequest<Body>,
    Pushed { accepted, error }: Pushed,
    now: Timestamp,
) -> PushReport {
    for item in request.frames.iter().take(accepted).flat_map(|frame| &frame.items).filter(|i| !i.replayed) {
        let latency = now.since(item.item.body.sent_at);
        metrics::histogram!("tidings_push_latency_seconds").record(latency.as_secs_f64());
    }
    let refusal = error.map(|error| match error {
        PushError::Gone => Refusal::Gone,
        PushError::Unavailable(_) => {
            tracing::warn!(error = chain(&error), "push refused, it is attempted again");
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

fn message_row(event: DeliveryEvent<Body>, policy: HistoryPolicy) -> MessageRow {
    let DeliveryEvent { sequence, body, what, at } = event;
    let row = MessageRow::new(&body, sequence, what, at, policy.lifetime);
    if policy.payloads { row.with_payload(&body) } else { row }
}

fn open_connection(connection: Connection) -> OpenConnection {
    let Connection { connection_id, connected_at, acknowledges, format, .. } = connection;
    OpenConnection { id: connection_id, connected_at, acknowledges, format }
}

fn held(row: MailboxRow) -> HeldItem<Body> {
    HeldItem { item: item(row.notification, row.sequence), pushed_to: row.pushed_to }
}

/// Makes the row to write. The run may have changed the expiry of a deferred `when_offline: drop`
/// notification.
fn row(HeldItem { item, pushed_to }: HeldItem<Body>) -> MailboxRow {
    let mut notification = item.body;
    if notification.expires_at != item.expires_at {
        Arc::make_mut(&mut notification).expires_at = item.expires_at;
    }
    MailboxRow { sequence: item.sequence, notification, pushed_to }
}
