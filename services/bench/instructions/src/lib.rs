//! Scenarios for the dispatcher's core: the events that its shell would give it for one user's run.

use std::sync::Arc;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Notification, NotificationRequest, Sequence, Timestamp};
use dispatcher::core::ConnectionSet;
use dispatcher::core::batch::item;
use dispatcher::core::run::{
    Command, Entry, Event, HeldItem, Limits, OpenConnection, PushReport, Report, Run,
};

/// The notification of an item, which the core does not look into.
pub type Body = Arc<Notification>;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Returns a producer's request for notification number `n`.
#[must_use]
pub fn request(n: u64) -> String {
    let payload = "x".repeat(254);
    format!(r#"{{"userId":"alice","id":"0198c7a0-6d3f-7000-8000-{n:012}","payload":"{payload}"}}"#)
}

/// Returns notification number `n` with its sequence. Its payload has 256 bytes.
///
/// # Panics
/// Never: the request is valid.
#[must_use]
pub fn notification(n: u64) -> (Body, Sequence) {
    let request = NotificationRequest::from_json(&request(n)).expect("the request is valid");
    (Arc::new(request.complete(|| unreachable!("the request has an id"), NOW)), Sequence::new(n.into()))
}

/// One user's run: its entries, and the state that the ports report.
#[derive(Debug)]
pub struct Scenario {
    entries: Vec<Entry<Body>>,
    connections: Vec<OpenConnection>,
    mailbox: Vec<HeldItem<Body>>,
}

impl Scenario {
    /// Creates a run of new notifications for a user with some connections, or none.
    #[must_use]
    pub fn new(notifications: u64, connections: u64) -> Self {
        let entry = |n| {
            let (body, sequence) = notification(n);
            Entry::Notification { item: item(body, sequence), redelivered: false }
        };
        Self {
            entries: (1..=notifications).map(entry).collect(),
            connections: (0..connections).map(connection).collect(),
            mailbox: Vec::new(),
        }
    }

    /// Creates the replay of `held` notifications to a user who has connected.
    #[must_use]
    pub fn replay(held: u64) -> Self {
        let row = |n| {
            let (body, sequence) = notification(n);
            HeldItem { item: item(body, sequence), pushed_to: ConnectionSet::new() }
        };
        Self {
            entries: vec![Entry::Replay(Sequence::new(held.into()))],
            connections: vec![connection(0)],
            mailbox: (1..=held).map(row).collect(),
        }
    }

    /// Answers the core's commands until the run is over, and returns the core's report.
    #[must_use]
    pub fn run(self) -> Report {
        let Self { entries, mut connections, mailbox } = self;
        let mut mailbox = mailbox.into_iter();
        let (mut run, mut command) = Run::start(Limits::default(), entries);
        loop {
            let event = match command {
                Command::Finish(report) => return report,
                Command::ListConnections => Event::Listed(std::mem::take(&mut connections)),
                Command::ReadPage { limit, .. } => {
                    let rows: Vec<_> = mailbox.by_ref().take(limit).collect();
                    Event::Page { rows, more: mailbox.len() > 0 }
                }
                Command::Push(orders) => Event::Pushed(
                    orders
                        .iter()
                        .map(|order| PushReport { accepted: order.frames.len(), refusal: None })
                        .collect(),
                ),
                Command::Wait { .. } => Event::Waited,
                Command::Put(_)
                | Command::Delete(_)
                | Command::Mark(_)
                | Command::Forget(_)
                | Command::EnqueueReplay(_)
                | Command::ScheduleReplay => Event::Done,
            };
            command = run.on(event, NOW);
        }
    }
}

fn connection(n: u64) -> OpenConnection {
    OpenConnection {
        id: ConnectionId::new(format!("connection-{n}")),
        connected_at: Timestamp::from_millis(1_767_225_000_000),
        acknowledges: false,
        format: FrameFormat::Single,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_deliver_hold_and_replay() {
        let online = Scenario::new(10, 1).run().stats;
        assert_eq!((online.delivered, online.held), (10, 0));
        let offline = Scenario::new(10, 0).run().stats;
        assert_eq!((offline.delivered, offline.held), (0, 10));
        assert_eq!(Scenario::replay(100).run().stats.replayed, 100);
    }
}
