//! The store against the conformance suites of the ports it implements, and against its own promises.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![allow(clippy::cast_precision_loss, reason = "measurements are printed in few digits")]

mod callers;
mod dead_letters;
mod disk_full;
mod disk_reads;
mod durable;
mod model;
mod queue;
mod support;

use std::time::Duration;

use contract_notifications_v1::{Sequence, UserId};
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::Mailbox as _;
use tidings_store::Store;
use verification_conformance::fixture::{Deliveries, MailboxRows};
use verification_conformance::{
    ManualClock, acknowledgements, mailbox, mailbox_keys, replay_queue, replayer_queue, sequences,
};

/// The store's mailboxes as rows.
struct Rows(support::TestStore);

impl MailboxRows for Rows {
    async fn hold(&self, user: &UserId, numbers: &[u64]) {
        let rows = mailbox::rows(user, numbers.iter().copied());
        self.0.put(user, rows).await.unwrap();
    }

    async fn delete(&self, user: &UserId, numbers: &[u64]) {
        dispatcher::ports::Mailbox::delete(&self.0, user, &sequences(numbers.iter().copied())).await.unwrap();
    }

    async fn held(&self, user: &UserId) -> Vec<Sequence> {
        let held = support::mailbox(&self.0, user).await;
        sequences(held)
    }
}

#[tokio::test]
async fn mailbox_conforms() {
    let (_dir, store, _) = support::store();
    mailbox::all(&store, "m").await;
    mailbox_keys::all(&store, &Rows(store.clone()), "m").await;
    acknowledgements::all(&store, &Rows(store.clone()), "m").await;
}

/// Receives replay entries from the store's queue.
struct Queue(Store<ManualClock>, ManualClock);

impl Deliveries for Queue {
    async fn take(&mut self, user: &UserId) -> Vec<Sequence> {
        // Dropped leases of other users are visible again.
        self.1.advance(Duration::from_mins(10));
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        while let Some(lease) = self.0.try_receive() {
            if lease.user() != user {
                others.push(lease);
                continue;
            }
            for entry in lease.entries() {
                let Entry::Replay(bound) = entry else { panic!("a notification in the queue") };
                taken.push(*bound);
            }
            let outcomes = vec![Outcome::Done; lease.entries().len()];
            self.0.complete(lease, &outcomes);
        }
        taken
    }
}

#[tokio::test]
async fn replay_queue_conforms() {
    let (_dir, store, clock) = support::store();
    let mut queue = Queue(store.clone(), clock);
    replay_queue::all(&store, &mut queue, "q").await;
    replayer_queue::all(&store, &mut queue, "q").await;
}
