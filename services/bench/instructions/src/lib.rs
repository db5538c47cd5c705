//! Stories of one user each, told to the dispatcher's core as its shell would.

use std::collections::BTreeSet;
use std::sync::Arc;

use contract_connections_v1::{ConnectionId, FrameFormat};
use contract_notifications_v1::{Notification, NotificationRequest, Sequence, Timestamp};
use dispatcher::core::batch::item;
use dispatcher::core::run::{
    Command, Entry, Event, HeldItem, Limits, OpenConnection, PushReport, Report, Run,
};

/// What a notification is outside the core.
pub type Body = Arc<Notification>;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// What a producer sends as the `n`th notification.
#[must_use]
pub fn request(n: u64) -> String {
    let payload = "x".repeat(254);
    format!(r#"{{"userId":"alice","id":"0198c7a0-6d3f-7000-8000-{n:012}","payload":"{payload}"}}"#)
}

/// The `n`th notification, with a payload of 256 bytes.
///
/// # Panics
/// Never: what it is made of is valid.
#[must_use]
pub fn notification(n: u64) -> (Body, Sequence) {
    let request = NotificationRequest::from_json(&request(n)).expect("it is a notification");
    (Arc::new(request.complete(|| unreachable!("it has an id"), NOW)), Sequence::new(n.into()))
}

/// One user's run, and what the world answers.
#[derive(Debug)]
pub struct Story {
    entries: Vec<Entry<Body>>,
    connections: Vec<OpenConnection>,
    mailbox: Vec<HeldItem<Body>>,
}

impl Story {
    /// New notifications, for a user with so many connections.
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

    /// A user who has come back to so many held notifications.
    #[must_use]
    pub fn replay(held: u64) -> Self {
        let row = |n| {
            let (body, sequence) = notification(n);
            HeldItem { item: item(body, sequence), pushed_to: BTreeSet::new() }
        };
        Self {
            entries: vec![Entry::Replay(Sequence::new(held.into()))],
            connections: vec![connection(0)],
            mailbox: (1..=held).map(row).collect(),
        }
    }

    /// Lets the core decide until the run is over.
    #[must_use]
    pub fn tell(self) -> Report {
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
                | Command::EnqueueReplay(_) => Event::Done,
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
    fn the_stories_end_as_they_should() {
        let online = Story::new(10, 1).tell().stats;
        assert_eq!((online.delivered, online.held), (10, 0));
        let offline = Story::new(10, 0).tell().stats;
        assert_eq!((offline.delivered, offline.held), (0, 10));
        assert_eq!(Story::replay(100).tell().stats.replayed, 100);
    }
}
