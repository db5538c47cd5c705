//! The replayer over an in-memory mailbox and queue, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::error::Error as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_notifications_v1::{NotificationId, QueueEntry, Replay, Sequence, Timestamp, UserId};
use proptest::prelude::*;
use replayer::ports::{KeyPage, MailboxKeys, Ports, RandomSource, ReplayEntry, ReplayQueue};
use replayer::{Limits, ReplayError, Replayer, ReplayerConfig, Requeued};
use shared_ports::{Clock, PortError};
use shared_retry::RetryPolicy;
use tokio::time::Instant;
use uuid::Uuid;

/// The paused clock of the test runtime, which advances only when all tasks are idle.
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0).plus(self.0.elapsed())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A source of random numbers that counts up instead, and delays without jitter.
#[derive(Default)]
struct Counter(AtomicU64);

impl RandomSource for &Counter {
    fn deduplication_id(&self) -> Uuid {
        Uuid::from_u128(self.0.fetch_add(1, Ordering::SeqCst).into())
    }
}

impl shared_retry::Jitter for &Counter {
    fn delay(&self, policy: &RetryPolicy, attempt: u32) -> Duration {
        policy.bound(attempt)
    }
}

#[derive(Debug, Clone)]
enum Answer {
    Failed(Vec<usize>),
    Throttled,
    Refused,
    /// The batch is accepted, but the answer is lost.
    Lost,
}

#[derive(Default)]
struct World {
    held: HashMap<UserId, BTreeSet<u128>>,
    /// Users whose mailboxes never answer.
    hanging: BTreeSet<UserId>,
    /// The queue's answers, in order. After the last it accepts everything.
    answers: Mutex<VecDeque<Answer>>,
    sent: Mutex<Vec<Vec<ReplayEntry>>>,
    accepted: Mutex<Vec<ReplayEntry>>,
    counter: Counter,
}

impl MailboxKeys for &World {
    async fn keys(&self, user: &UserId, after: Option<Sequence>, limit: usize) -> Result<KeyPage, PortError> {
        tokio::task::yield_now().await;
        if self.hanging.contains(user) {
            std::future::pending::<()>().await;
        }
        let held = self.held.get(user).cloned().unwrap_or_default();
        let mut rest = held.into_iter().map(Sequence::new).filter(|key| Some(*key) > after);
        let sequences = rest.by_ref().take(limit).collect();
        Ok(KeyPage { sequences, more: rest.next().is_some() })
    }
}

impl ReplayQueue for &World {
    async fn send(&self, batch: &[ReplayEntry]) -> Result<Vec<usize>, PortError> {
        tokio::task::yield_now().await;
        self.sent.lock().unwrap().push(batch.to_vec());
        let answer = self.answers.lock().unwrap().pop_front();
        let failed = match &answer {
            None | Some(Answer::Lost) => Vec::new(),
            Some(Answer::Failed(failed)) => failed.clone(),
            Some(Answer::Throttled) => return Err(PortError::retryable("sending replays", "throttled")),
            Some(Answer::Refused) => return Err(PortError::permanent("sending replays", "no such queue")),
        };
        let accepted = batch.iter().enumerate().filter(|(position, _)| !failed.contains(position));
        self.accepted.lock().unwrap().extend(accepted.map(|(_, entry)| entry.clone()));
        if matches!(answer, Some(Answer::Lost)) {
            return Err(PortError::retryable("sending replays", "connection reset"));
        }
        Ok(failed)
    }
}

impl<'a> Ports for &'a World {
    type Mailbox = Self;
    type Queue = Self;
    type Clock = VirtualClock;
    type Random = &'a Counter;
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

const LIMITS: Limits = Limits { page_size: 4, batch_entries: 3, batch_bytes: 1024 * 1024 };

impl World {
    fn holding(user: &str, numbers: impl IntoIterator<Item = u128>) -> Self {
        Self::default().and_holding(user, numbers)
    }

    fn and_holding(mut self, name: &str, numbers: impl IntoIterator<Item = u128>) -> Self {
        self.held.insert(user(name), numbers.into_iter().collect());
        self
    }

    fn answering(mut self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers = Mutex::new(answers.into_iter().collect());
        self
    }

    fn replayer(&self) -> Replayer<&Self> {
        let config = ReplayerConfig { limits: LIMITS, ..ReplayerConfig::default() };
        Replayer::with_random_source(self, self, VirtualClock(Instant::now()), &self.counter, config)
    }

    async fn replay(&self) -> Result<Requeued, ReplayError> {
        self.replayer().replay(&user("jo"), Timestamp::from_millis(60_000)).await
    }

    fn accepted(&self) -> Vec<u128> {
        self.accepted.lock().unwrap().iter().map(|entry| entry.replay.sequence.number()).collect()
    }

    fn batches(&self) -> Vec<Vec<u128>> {
        let numbers = |batch: &Vec<ReplayEntry>| batch.iter().map(|e| e.replay.sequence.number()).collect();
        self.sent.lock().unwrap().iter().map(numbers).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn pages_are_requeued_in_one_batch() {
    // A page has four keys, and a batch three entries.
    for (held, expected) in
        [(4, vec![4]), (8, vec![4, 8]), (9, vec![4, 8, u128::MAX]), (500, vec![4, 8, u128::MAX])]
    {
        let world = World::holding("jo", 1..=held);
        assert_eq!(world.replay().await.unwrap(), Requeued { count: expected.len() });
        assert_eq!(world.batches(), [expected]);
    }
    let world = World::holding("jo", 1..=9);
    world.replay().await.unwrap();
    for entry in world.accepted.lock().unwrap().iter() {
        let id = || NotificationId::new("n").unwrap();
        let read = QueueEntry::from_json(&entry.body, id, Timestamp::from_millis(0)).unwrap();
        assert_eq!(read, QueueEntry::Replay(entry.replay.clone()));
        assert_eq!(entry.replay, Replay { user_id: user("jo"), sequence: entry.replay.sequence });
    }
}

#[tokio::test(start_paused = true)]
async fn empty_mailbox_sends_nothing() {
    let world = World::default();
    assert_eq!(world.replay().await.unwrap(), Requeued { count: 0 });
    assert!(world.batches().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_failed_entries_are_retried_with_same_ids() {
    let world = World::holding("jo", 1..=9).answering([Answer::Failed(vec![0, 2]), Answer::Throttled]);
    assert_eq!(world.replay().await.unwrap(), Requeued { count: 3 });
    assert_eq!(world.batches(), [vec![4, 8, u128::MAX], vec![4, u128::MAX], vec![4, u128::MAX]]);
    let sent = world.sent.lock().unwrap();
    let ids = |batch: usize| sent[batch].iter().map(|entry| entry.deduplication_id).collect::<Vec<_>>();
    assert_eq!(ids(1), [ids(0)[0], ids(0)[2]]);
    assert_eq!(ids(2), ids(1));
}

#[tokio::test(start_paused = true)]
async fn ids_are_stable_in_a_replay_and_new_in_the_next() {
    let world = World::holding("jo", 1..=9).answering([Answer::Lost]);
    let distinct = || {
        let accepted = world.accepted.lock().unwrap();
        accepted.iter().map(|entry| entry.deduplication_id).collect::<BTreeSet<_>>().len()
    };
    world.replay().await.unwrap();
    assert_eq!((world.accepted().len(), distinct()), (6, 3));
    world.replay().await.unwrap();
    assert_eq!((world.accepted().len(), distinct()), (9, 6));
}

#[tokio::test(start_paused = true)]
async fn delays_double_until_the_deadline() {
    let world = World::holding("jo", 1..=2).answering(std::iter::repeat_n(Answer::Throttled, 1_000));
    let start = Instant::now();
    let deadline = Timestamp::from_millis(5_000);
    let failed = world.replayer().replay(&user("jo"), deadline).await.unwrap_err();
    let source = failed.source().unwrap().to_string();
    assert!(matches!(failed, ReplayError::OutOfTime { requeued: 0, .. }), "{failed:?}");
    assert_eq!(source, "sending replays is not possible at the moment");
    // 50 + 100 + 200 + 400 + 800 + 1,600 ms, and the next 2 s would pass the deadline.
    assert_eq!(start.elapsed().as_millis(), 3_150);
    assert_eq!(world.batches().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn permanent_error_is_reported_at_once() {
    let world = World::holding("jo", 1..=9).answering([Answer::Failed(vec![2]), Answer::Refused]);
    let failed = world.replay().await.unwrap_err();
    assert!(matches!(failed, ReplayError::Refused { requeued: 2, cause: Some(_) }), "{failed:?}");
    assert_eq!(world.batches().len(), 2);
}

fn records(users: &[&str]) -> Vec<ConnectionKey> {
    let record = |(position, name): (usize, &&str)| ConnectionKey {
        user_id: user(name),
        connection_id: ConnectionId::new(position.to_string()),
    };
    users.iter().enumerate().map(record).collect()
}

#[tokio::test(start_paused = true)]
async fn batch_replays_each_user_once() {
    let world = World::holding("jo", [1]).and_holding("al", [2]);
    let records = records(&["jo", "al", "jo", "nobody"]);
    let failed = world.replayer().replay_batch(&records, Timestamp::from_millis(60_000)).await;
    assert!(failed.is_empty());
    let mut accepted = world.accepted();
    accepted.sort_unstable();
    assert_eq!(accepted, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn hanging_user_fails_alone_at_the_deadline() {
    let mut world = World::holding("al", [2]).and_holding("zoe", [3]);
    world.hanging.insert(user("jo"));
    let records = records(&["al", "jo", "zoe", "jo"]);
    let start = Instant::now();
    let failed = world.replayer().replay_batch(&records, Timestamp::from_millis(5_000)).await;
    assert_eq!(failed, [1, 3]);
    assert_eq!(start.elapsed().as_millis(), 5_000);
    assert_eq!(world.accepted().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn more_users_than_slots_are_all_replayed() {
    let world = (0..100).fold(World::default(), |world, n| world.and_holding(&format!("u{n}"), [n]));
    let names: Vec<_> = (0..100).map(|n| format!("u{n}")).collect();
    let records = records(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(world.replayer().replay_batch(&records, Timestamp::from_millis(60_000)).await.is_empty());
    assert_eq!(world.accepted().into_iter().collect::<BTreeSet<_>>(), (0..100).collect());
}

/// Adapters spawn replays on multi-threaded runtimes.
#[test]
fn replay_future_is_send() {
    fn assert_send<T: Send>(_: &T) {}
    let world = World::default();
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
        let replayer = world.replayer();
        assert_send(&replayer.replay(&user("jo"), Timestamp::from_millis(1)));
        assert_send(&replayer.replay_batch(&[], Timestamp::from_millis(1)));
    });
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let one = prop_oneof![
        prop::collection::vec(0_usize..3, 0..3).prop_map(Answer::Failed),
        Just(Answer::Throttled),
        Just(Answer::Lost),
    ];
    prop::collection::vec(one, 0..12)
}

proptest! {
    #[test]
    fn all_rows_are_covered_or_the_failure_reported(
        numbers in prop::collection::btree_set(0_u128..500, 0..40),
        answers in answers(),
        budget in 0_u64..20_000,
    ) {
        let world = World::holding("jo", numbers.clone()).answering(answers);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (outcome, took) = runtime.block_on(async {
            let start = Instant::now();
            let replayer = world.replayer();
            (replayer.replay(&user("jo"), Timestamp::from_millis(budget)).await, start.elapsed())
        });
        prop_assert!(took.as_millis() <= u128::from(budget));
        let accepted: BTreeSet<_> = world.accepted().into_iter().collect();
        match outcome {
            Ok(Requeued { count }) => {
                prop_assert_eq!(count, accepted.len());
                prop_assert!(numbers.last() <= accepted.last());
                prop_assert!(accepted.iter().all(|bound| *bound == u128::MAX || numbers.contains(bound)));
            }
            Err(ReplayError::OutOfTime { requeued, .. }) => prop_assert!(requeued <= accepted.len()),
            Err(other) => panic!("{other:?}"),
        }
        prop_assert!(world.batches().iter().all(|batch| batch.len() <= LIMITS.batch_entries));
        let mut first: Vec<u128> = Vec::new();
        for number in world.batches().into_iter().flatten() {
            if !first.contains(&number) {
                first.push(number);
            }
        }
        prop_assert!(first.is_sorted());
    }
}
