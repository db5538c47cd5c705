//! The worker that replays mailboxes: each user's goes on by itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_connections_v1::ConnectionKey;
use contract_notifications_v1::{Sequence, UserId};
use replayer::ports::{KeyPage, MailboxKeys, Ports, ReplayEntry, ReplayQueue, ThreadRandom};
use replayer::{Replayer, ReplayerConfig};
use shared_ports::{PortError, SystemClock};
use tidings_gateway::workers::{WorkerSettings, run_replayer};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use verification_conformance::{connection, user};

/// Everybody holds one row. The user "stuck" never gets an answer, "slow" gets it after a second.
struct Mailboxes;

impl MailboxKeys for Mailboxes {
    async fn keys(&self, user: &UserId, after: Option<Sequence>, _: usize) -> Result<KeyPage, PortError> {
        match user.as_str() {
            "stuck" => std::future::pending().await,
            "slow" => sleep(Duration::from_secs(1)).await,
            _ => {}
        }
        let sequences = after.is_none().then(|| Sequence::new(1)).into_iter().collect();
        Ok(KeyPage { sequences, more: false })
    }
}

/// The users whose mailboxes were replayed.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<UserId>>>);

impl ReplayQueue for Sent {
    async fn send(&self, batch: &[ReplayEntry]) -> Result<Vec<usize>, PortError> {
        self.0.lock().unwrap().extend(batch.iter().map(|entry| entry.replay.user_id.clone()));
        Ok(Vec::new())
    }
}

enum SentPorts {}

impl Ports for SentPorts {
    type Mailbox = Mailboxes;
    type Queue = Sent;
    type Clock = SystemClock;
    type Random = ThreadRandom;
}

fn start() -> (mpsc::UnboundedSender<ConnectionKey>, Sent) {
    let (inserted, records) = mpsc::unbounded_channel();
    let sent = Sent::default();
    let replayer =
        Replayer::<SentPorts>::new(Mailboxes, sent.clone(), SystemClock, ReplayerConfig::default());
    let settings = WorkerSettings::default();
    tokio::spawn(run_replayer(records, Arc::new(replayer), SystemClock, settings, std::future::pending()));
    (inserted, sent)
}

fn key(name: &str) -> ConnectionKey {
    ConnectionKey { user_id: user(name), connection_id: connection("c") }
}

#[tokio::test(start_paused = true)]
async fn stuck_mailbox_delays_nobody_else() {
    let (inserted, sent) = start();
    inserted.send(key("stuck")).unwrap();
    sleep(Duration::from_millis(1)).await;
    let start = Instant::now();
    inserted.send(key("other")).unwrap();
    while sent.0.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(*sent.0.lock().unwrap(), [user("other")]);
    // Of the paused clock.
    assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn connection_during_a_replay_gets_another() {
    let (inserted, sent) = start();
    inserted.send(key("slow")).unwrap();
    sleep(Duration::from_millis(500)).await;
    inserted.send(key("slow")).unwrap();
    inserted.send(key("slow")).unwrap();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(*sent.0.lock().unwrap(), [user("slow"), user("slow")]);
}
