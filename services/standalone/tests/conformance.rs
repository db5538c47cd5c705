//! The store against the suites of the ports it implements, and against its own promises.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![allow(clippy::cast_precision_loss, reason = "measurements are printed in few digits")]

#[path = "conformance/dead_letters.rs"]
mod dead_letters;
#[path = "conformance/disk_full.rs"]
mod disk_full;
#[path = "conformance/durable.rs"]
mod durable;
#[path = "conformance/end_to_end.rs"]
mod end_to_end;
#[path = "conformance/model.rs"]
mod model;
#[path = "conformance/queue.rs"]
mod queue;
#[path = "conformance/replays.rs"]
mod replays;
#[path = "conformance/support.rs"]
mod support;

use contract_notifications_v1::{Sequence, UserId};
use dispatcher::core::run::{Entry, Outcome};
use shared_conformance::{ManualClock, mailbox, replay_queue};
use tidings::storage::Store;

#[tokio::test]
async fn the_mailbox_conforms() {
    let (_dir, store, _) = support::store();
    mailbox::all(&store, "m").await;
}

/// Takes replay entries off the store's queue.
struct Queue(Store<ManualClock>, ManualClock);

impl replay_queue::Deliveries for Queue {
    async fn take(&mut self, user: &UserId) -> Vec<Sequence> {
        // Runs of others that were dropped are visible again.
        self.1.advance(std::time::Duration::from_mins(10));
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        while let Some(received) = self.0.try_receive() {
            if received.user() != user {
                others.push(received);
                continue;
            }
            for entry in received.entries() {
                let Entry::Replay(bound) = entry else { panic!("a notification in the queue") };
                taken.push(*bound);
            }
            let outcomes = vec![Outcome::Done; received.entries().len()];
            self.0.settle(received, &outcomes);
        }
        taken
    }
}

#[tokio::test]
async fn the_replay_queue_conforms() {
    let (_dir, store, clock) = support::store();
    let mut queue = Queue(store.clone(), clock);
    replay_queue::all(&store, &mut queue, "q").await;
}
