//! The store against a model in memory, over random operations and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract_connections_v1::ConnectionKey;
use contract_notifications_v1::{Replay, Sequence, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::core::run::{Entry, Outcome};
use dispatcher::ports::{Mailbox as _, MailboxRow, PageQuery, ReplayQueue as _};
use proptest::prelude::*;
use replayer::ports::MailboxKeys as _;
use tempfile::TempDir;
use tidings_store::{LastKey, StorageSettings, Store};
use verification_conformance::{ManualClock, connection, notification, user};

use crate::support::{TestStore, settings, submissions};

const USERS: usize = 3;
const CONNECTIONS: [&str; 2] = ["x", "y"];

/// One step. Numbers choose among the existing items.
#[derive(Debug, Clone)]
enum Step {
    Accept {
        user: usize,
        count: usize,
    },
    /// A lease: whether it reads the mailbox, what it puts there and what is acknowledged meanwhile (bits),
    /// and the number of entries that are done.
    Run {
        paged: bool,
        put: u8,
        pushed: u8,
        acknowledged: u8,
        done: usize,
    },
    Delete {
        user: usize,
        row: usize,
    },
    Acknowledge {
        user: usize,
        row: usize,
    },
    DurableMarker {
        user: usize,
        row: usize,
        pushed: u8,
    },
    Put {
        user: usize,
        row: usize,
        pushed: u8,
    },
    Page {
        user: usize,
        after: usize,
        up_to: usize,
        due: u8,
        limit: usize,
    },
    Keys {
        user: usize,
        after: usize,
        limit: usize,
    },
    Replay {
        user: usize,
        row: usize,
    },
    Closed {
        user: usize,
        connection: usize,
    },
    Flush,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let (user, row) = (0..USERS, 0..40_usize);
    prop_oneof![
        4 => (user.clone(), 1..6_usize).prop_map(|(user, count)| Step::Accept { user, count }),
        6 => (any::<bool>(), any::<u8>(), 0..4_u8, any::<u8>(), 0..7_usize)
            .prop_map(|(paged, put, pushed, acknowledged, done)| Step::Run { paged, put, pushed, acknowledged, done }),
        2 => (user.clone(), row.clone()).prop_map(|(user, row)| Step::Delete { user, row }),
        2 => (user.clone(), row.clone()).prop_map(|(user, row)| Step::Acknowledge { user, row }),
        2 => (user.clone(), row.clone(), 1..4_u8).prop_map(|(user, row, pushed)| Step::DurableMarker { user, row, pushed }),
        1 => (user.clone(), row.clone(), 0..4_u8).prop_map(|(user, row, pushed)| Step::Put { user, row, pushed }),
        6 => (user.clone(), 0..40_usize, 0..60_usize, 1..4_u8, 1..8_usize)
            .prop_map(|(user, after, up_to, due, limit)| Step::Page { user, after, up_to, due, limit }),
        2 => (user.clone(), 0..40_usize, 1..8_usize).prop_map(|(user, after, limit)| Step::Keys { user, after, limit }),
        1 => (user.clone(), row).prop_map(|(user, row)| Step::Replay { user, row }),
        1 => (user, 0..2_usize).prop_map(|(user, connection)| Step::Closed { user, connection }),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

fn connections(bits: u8) -> ConnectionSet {
    let chosen = CONNECTIONS.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
    chosen.map(|(_, id)| connection(id)).collect()
}

#[derive(Debug, Clone, Default)]
struct Row {
    queued: bool,
    held: bool,
    acknowledged: bool,
    pushed_to: ConnectionSet,
}

#[derive(Debug, Default)]
struct Mailbox {
    rows: BTreeMap<Sequence, Row>,
    replay: Option<Sequence>,
}

impl Mailbox {
    fn held(&self) -> impl Iterator<Item = (&Sequence, &Row)> {
        self.rows.iter().filter(|(_, row)| row.held)
    }

    fn remove(&mut self, sequence: Sequence, acknowledged: bool) {
        let Some(row) = self.rows.get_mut(&sequence).filter(|row| row.held) else { return };
        if row.queued {
            *row = Row { queued: true, acknowledged, ..Row::default() };
        } else {
            self.rows.remove(&sequence);
        }
    }

    fn any(&self, n: usize) -> Sequence {
        self.rows.keys().copied().nth(n % self.rows.len().max(1)).unwrap_or(Sequence::new(5))
    }
}

struct World {
    dir: TempDir,
    clock: ManualClock,
    store: Option<TestStore>,
    users: Vec<(UserId, Mailbox)>,
    last: Sequence,
    hot_bytes: usize,
}

impl World {
    fn open(&mut self) {
        self.store = None;
        let settings =
            StorageSettings { run_entries: 5, hot_entries: 4, hot_bytes: self.hot_bytes, ..settings() };
        let store = Store::open(self.dir.path(), settings, self.clock.clone()).unwrap();
        // One user's notifications are expected to be delivered at once, another's never, the third's now and
        // then.
        let asked = AtomicUsize::new(0);
        let [always, never] = [0, 1].map(|n| self.users[n].0.clone());
        store.expect_delivery(move |user| {
            let now_and_then = || asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            *user == always || *user != never && now_and_then()
        });
        self.store = Some(store);
    }

    fn row(user: &UserId, sequence: Sequence, pushed_to: ConnectionSet) -> MailboxRow {
        let notification = Arc::new(notification(user, u64::try_from(sequence.number()).unwrap()));
        MailboxRow { sequence, notification, pushed_to }
    }

    async fn apply(&mut self, step: Step) {
        let store = self.store.clone().unwrap();
        match step {
            Step::Accept { user, count } => {
                let (id, mailbox) = &mut self.users[user];
                let accepted = store.accept(submissions(id, 0..count as u64)).await.unwrap();
                for accepted in accepted {
                    assert!(accepted.sequence > self.last);
                    self.last = accepted.sequence;
                    mailbox.rows.insert(accepted.sequence, Row { queued: true, ..Row::default() });
                }
            }
            Step::Run { paged, put, pushed, acknowledged, done } => {
                self.run(&store, paged, put, pushed, acknowledged, done).await;
            }
            Step::Delete { user, row } => {
                let (id, mailbox) = &mut self.users[user];
                let sequence = mailbox.any(row);
                store.delete(id, &[sequence]).await.unwrap();
                mailbox.remove(sequence, false);
            }
            Step::Acknowledge { user, row } => {
                let (id, mailbox) = &mut self.users[user];
                let sequence = mailbox.any(row);
                ws_edge::ports::Mailbox::acknowledge(&store, id, &[sequence]).await.unwrap();
                mailbox.remove(sequence, true);
            }
            Step::DurableMarker { user, row, pushed } => {
                let (id, mailbox) = &mut self.users[user];
                let sequence = mailbox.any(row);
                store.mark(id, &[(sequence, connections(pushed))]).await.unwrap();
                if let Some(row) = mailbox.rows.get_mut(&sequence).filter(|row| row.held) {
                    row.pushed_to.extend(connections(pushed));
                }
            }
            Step::Put { user, row, pushed } => {
                let (id, mailbox) = &mut self.users[user];
                let sequence = mailbox.any(row);
                if let Some(row) = mailbox.rows.get_mut(&sequence).filter(|row| !row.queued) {
                    store.put(id, vec![Self::row(id, sequence, connections(pushed))]).await.unwrap();
                    row.pushed_to = connections(pushed);
                }
            }
            Step::Page { user, after, up_to, due, limit } => {
                let (id, mailbox) = &self.users[user];
                let after = (after > 0).then(|| mailbox.any(after));
                let up_to = if up_to > 40 { Sequence::MAX } else { mailbox.any(up_to) };
                Self::page(&store, id, mailbox, after, up_to, due, limit).await;
            }
            Step::Keys { user, after, limit } => {
                let (id, mailbox) = &self.users[user];
                let after = (after > 0).then(|| mailbox.any(after));
                let keys = store.keys(id, after, limit).await.unwrap();
                let mut expected: Vec<_> = mailbox.held().map(|(sequence, _)| *sequence).collect();
                let last = LastKey(store.clone()).keys(id, None, 1).await.unwrap().sequences;
                assert_eq!(last.first(), expected.last());
                expected.retain(|sequence| after.is_none_or(|after| *sequence > after));
                assert_eq!(keys.more, expected.len() > limit);
                expected.truncate(limit);
                assert_eq!(keys.sequences, expected);
            }
            Step::Replay { user, row } => {
                let (id, mailbox) = &mut self.users[user];
                let sequence = mailbox.any(row);
                store.enqueue(Replay { user_id: id.clone(), sequence }).await.unwrap();
                mailbox.replay = mailbox.replay.max(Some(sequence));
            }
            Step::Closed { user, connection } => {
                let (id, mailbox) = &mut self.users[user];
                let connection_id = verification_conformance::connection(CONNECTIONS[connection]);
                for row in mailbox.rows.values_mut() {
                    row.pushed_to.remove(&connection_id);
                }
                store.connection_closed(&ConnectionKey { user_id: id.clone(), connection_id });
            }
            Step::Flush => store.flush().await.unwrap(),
            Step::Reopen => {
                drop(store);
                self.open();
                for (_, mailbox) in &mut self.users {
                    mailbox.replay = None;
                    for row in mailbox.rows.values_mut() {
                        *row = Row { held: true, ..Row::default() };
                    }
                }
            }
        }
    }

    /// Compares the counters with the model.
    fn require_counts(&self) {
        let store = self.store.as_ref().unwrap();
        let held = loop {
            if let Some(held) = store.stats().held {
                break held;
            }
            std::thread::yield_now();
        };
        let rows = || self.users.iter().flat_map(|(_, mailbox)| mailbox.rows.values());
        assert_eq!(held, rows().filter(|row| !row.queued).count() as u64);
        assert_eq!(store.stats().queued, rows().filter(|row| row.queued).count());
    }

    async fn run(&mut self, store: &TestStore, paged: bool, put: u8, pushed: u8, acks: u8, done: usize) {
        let Some(mut lease) = store.try_receive() else {
            let waiting =
                self.users.iter().any(|(_, m)| m.replay.is_some() || m.rows.values().any(|r| r.queued));
            assert!(!waiting, "nothing to receive");
            return;
        };
        let (id, mailbox) = self.users.iter_mut().find(|(id, _)| id == lease.user()).unwrap();
        let mut entries = lease.take_entries();
        let mut outcomes = Vec::new();
        let replay = mailbox.replay.take();
        if let Some(bound) = replay {
            assert_eq!(entries.remove(0), Entry::Replay(bound));
            outcomes.push(Outcome::Done);
        }
        let sequences: Vec<_> = entries
            .iter()
            .map(|entry| {
                let Entry::Notification { item, .. } = entry else { panic!("{entry:?}") };
                item.sequence
            })
            .collect();
        let queued: Vec<_> = mailbox.rows.iter().filter(|(_, row)| row.queued).map(|(s, _)| *s).collect();
        assert!(queued.starts_with(&sequences) && (queued.is_empty() || !sequences.is_empty()));
        let chosen = |bits: u8| {
            let chosen = sequences.iter().enumerate().filter(move |(n, _)| bits & (1 << n) != 0);
            chosen.map(|(_, sequence)| *sequence).collect::<Vec<_>>()
        };
        let mut rows = crate::queue::rows(entries);
        rows.retain(|row| chosen(put).contains(&row.sequence));
        for row in &mut rows {
            row.pushed_to = connections(pushed);
            let model = mailbox.rows.get_mut(&row.sequence).unwrap();
            *model = Row { held: true, queued: true, acknowledged: false, pushed_to: connections(pushed) };
        }
        store.put(id, rows).await.unwrap();
        ws_edge::ports::Mailbox::acknowledge(store, id, &chosen(acks)).await.unwrap();
        for sequence in chosen(acks) {
            mailbox.remove(sequence, true);
        }
        if paged {
            Self::page(store, id, mailbox, None, Sequence::MAX, 3, 3).await;
        }
        for (n, sequence) in sequences.into_iter().enumerate() {
            let row = mailbox.rows.get_mut(&sequence).unwrap();
            outcomes.push(if n < done { Outcome::Done } else { Outcome::Retry });
            if n < done || row.acknowledged {
                if row.held { row.queued = false } else { _ = mailbox.rows.remove(&sequence) }
            }
        }
        store.complete(lease, &outcomes);
        // Acknowledged entries don't count as failed.
        let failed = still_queued(mailbox, &queued, &outcomes, replay.is_some());
        if !paged && !failed {
            for row in mailbox.rows.values_mut() {
                row.pushed_to = ConnectionSet::new();
            }
        }
        self.clock.advance(Duration::from_mins(10));
    }

    async fn page(
        store: &TestStore,
        id: &UserId,
        mailbox: &Mailbox,
        after: Option<Sequence>,
        up_to: Sequence,
        due: u8,
        limit: usize,
    ) {
        let due_for: Vec<_> = connections(due).into_iter().collect();
        let is_due = |row: &Row| due_for.iter().any(|id| !row.pushed_to.contains(id));
        let expected: Vec<_> = mailbox
            .held()
            .filter(|(sequence, row)| {
                after.is_none_or(|after| **sequence > after) && **sequence <= up_to && is_due(row)
            })
            .map(|(sequence, row)| (*sequence, row.pushed_to.clone()))
            .collect();
        let query = PageQuery { after, up_to, due_for: due_for.clone(), limit };
        let page = store.page(id, query).await.unwrap();
        let found: Vec<_> = page.rows.into_iter().map(|row| (row.sequence, row.pushed_to)).collect();
        assert_eq!(found, expected[..expected.len().min(limit)]);
        assert_eq!(page.more, expected.len() > limit);
    }
}

/// Returns true if an entry of the lease that was to be retried is still queued.
fn still_queued(mailbox: &Mailbox, queued: &[Sequence], outcomes: &[Outcome], replay: bool) -> bool {
    let outcomes = outcomes.iter().skip(usize::from(replay));
    let mut retried = queued.iter().zip(outcomes).filter(|(_, outcome)| **outcome == Outcome::Retry);
    retried.any(|(sequence, _)| mailbox.rows.get(sequence).is_some_and(|row| row.queued))
}

/// Applies the steps to an empty store and compares it with the model after each of them.
fn compare(steps: Vec<Step>, hot_bytes: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let users = (0..USERS).map(|n| (user(&format!("u{n}")), Mailbox::default())).collect();
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::default();
        let mut world = World { dir, clock, store: None, users, last: Sequence::ZERO, hot_bytes };
        world.open();
        for step in steps {
            world.apply(step).await;
            world.require_counts();
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn store_behaves_as_the_model(
        steps in prop::collection::vec(step(), 1..80),
        hot_bytes in prop_oneof![Just(1_000), Just(StorageSettings::default().hot_bytes)],
    ) {
        compare(steps, hot_bytes);
    }
}

#[test]
fn row_after_the_last_asked_for_makes_no_further_page() {
    let steps = vec![
        Step::Accept { user: 2, count: 5 },
        Step::Reopen,
        Step::Delete { user: 2, row: 0 },
        Step::Accept { user: 2, count: 1 },
        Step::Run { paged: true, put: 0, pushed: 0, acknowledged: 0, done: 1 },
        Step::Page { user: 2, after: 20, up_to: 25, due: 1, limit: 1 },
    ];
    compare(steps, 1_000);
}
