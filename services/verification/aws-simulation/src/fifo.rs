//! A FIFO queue of SQS.
//!
//! | behaviour | source |
//! |---|---|
//! | a group is locked while a message of it is in flight | <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html> |
//! | a receive returns as many messages of one group as possible, then others | the same |
//! | only the first 120,000 messages are looked at; at most 120,000 are in flight | <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/avoid-backlog-with-the-same-message-group-id.html> |
//! | a repeated deduplication ID is accepted and ignored for five minutes | <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html> |
//! | an expired receipt handle can't delete or postpone | <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>, `MessageNotInflight`; <https://github.com/aws/aws-sdk-js/issues/1279> |
//! | a message received too often becomes a dead letter | <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html> |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use shared_sync::IgnorePoison as _;
use tokio::sync::Notify;
use tokio::time::Instant;
use verification_random::SeededRandom;

/// Time for which a deduplication ID is remembered.
const DEDUPLICATION: Duration = Duration::from_mins(5);

/// The limits of a queue.
#[derive(Debug, Clone, Copy)]
pub struct FifoLimits {
    /// Number of messages that the queue looks at, from the oldest.
    pub window: usize,
    /// Maximum number of messages in flight.
    pub in_flight: usize,
    /// Visibility timeout of a received message.
    pub visibility: Duration,
    /// Number of receives after which a message becomes a dead letter.
    pub max_receives: u32,
    /// True if a group is locked while a message of it is in flight. Only a mutant does without.
    pub locks_groups: bool,
}

impl Default for FifoLimits {
    fn default() -> Self {
        Self {
            window: 120_000,
            in_flight: 120_000,
            visibility: Duration::from_mins(3),
            max_receives: 300,
            locks_groups: true,
        }
    }
}

/// A message as it is sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The message group.
    pub group: String,
    /// The deduplication ID.
    pub deduplication_id: String,
    /// The body.
    pub body: String,
}

/// A received message.
#[derive(Debug, Clone)]
pub struct Received {
    /// The message as it was sent.
    pub sent: Outgoing,
    /// Its sequence number.
    pub sequence: u64,
    /// The receipt handle.
    pub receipt: String,
    /// Time of its acceptance.
    pub sent_at: Instant,
    /// Time of its first delivery.
    pub first_received_at: Instant,
    /// Number of deliveries, including this one.
    pub receives: u32,
}

#[derive(Debug)]
struct Message {
    sent: Outgoing,
    sent_at: Instant,
    first_received_at: Option<Instant>,
    receives: u32,
    /// End of its visibility timeout while it is in flight.
    in_flight_until: Option<Instant>,
    /// Number of the last receipt.
    receipt: u64,
}

/// The error for a receipt handle whose message is not in flight.
#[derive(Debug, thiserror::Error)]
#[error("the receipt handle has expired")]
pub struct NotInFlight;

/// A FIFO queue.
#[derive(Debug)]
pub struct Fifo {
    limits: FifoLimits,
    state: Mutex<State>,
    arrivals: Notify,
}

#[derive(Debug, Default)]
struct State {
    messages: BTreeMap<u64, Message>,
    accepted: HashMap<(String, String), (Instant, u64)>,
    last_sequence: u64,
    receipts: u64,
    dead_letters: Vec<Outgoing>,
}

impl Fifo {
    /// Makes an empty queue.
    pub fn new(limits: FifoLimits) -> Self {
        Self::starting_at(limits, 0)
    }

    /// Makes an empty queue whose first sequence number is behind `last`. The numbers of different queues do not
    /// compare.
    pub fn starting_at(limits: FifoLimits, last: u64) -> Self {
        let state = State { last_sequence: last, ..State::default() };
        Self { limits, state: Mutex::new(state), arrivals: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().ignore_poison()
    }

    /// Accepts a message and returns its sequence number, or that of the message of which it is a duplicate.
    pub fn send(&self, message: Outgoing) -> u64 {
        let now = Instant::now();
        let mut state = self.state();
        let key = (message.group.clone(), message.deduplication_id.clone());
        if let Some((at, sequence)) = state.accepted.get(&key)
            && *at + DEDUPLICATION > now
        {
            return *sequence;
        }
        state.last_sequence += 1;
        let sequence = state.last_sequence;
        state.accepted.insert(key, (now, sequence));
        let message = Message {
            sent: message,
            sent_at: now,
            first_received_at: None,
            receives: 0,
            in_flight_until: None,
            receipt: 0,
        };
        state.messages.insert(sequence, message);
        drop(state);
        self.arrivals.notify_waiters();
        sequence
    }

    /// Takes a sequence number, as of a message that was accepted and dispatched before.
    pub fn skip(&self) -> u64 {
        let mut state = self.state();
        state.last_sequence += 1;
        state.last_sequence
    }

    /// Delivers at most `most` messages.
    pub fn receive(&self, most: usize, random: &SeededRandom) -> Vec<Received> {
        let now = Instant::now();
        let mut guard = self.state();
        let state = &mut *guard;
        state.end_visibility(now);
        let in_flight = state.messages.values().filter(|message| message.in_flight_until.is_some()).count();
        let most = most.min(self.limits.in_flight.saturating_sub(in_flight));
        let groups = state.available(&self.limits);
        let mut order: Vec<_> = groups.keys().cloned().collect();
        if let Some(last) = order.len().checked_sub(1) {
            // Which group comes first is not documented.
            order.rotate_left(random.count(0, last as u64));
        }
        let sequences: Vec<u64> = order.iter().flat_map(|group| &groups[group]).copied().take(most).collect();
        let mut received = Vec::new();
        for sequence in sequences {
            let Some(mut message) = state.messages.remove(&sequence) else { continue };
            if message.receives >= self.limits.max_receives {
                state.dead_letters.push(message.sent);
                continue;
            }
            state.receipts += 1;
            message.receipt = state.receipts;
            message.receives += 1;
            message.in_flight_until = Some(now + self.limits.visibility);
            received.push(Received {
                sent: message.sent.clone(),
                sequence,
                receipt: format!("{sequence}:{}", message.receipt),
                sent_at: message.sent_at,
                first_received_at: *message.first_received_at.get_or_insert(now),
                receives: message.receives,
            });
            state.messages.insert(sequence, message);
        }
        received
    }

    /// Waits until a message may be available, at most twenty seconds, the longest poll.
    pub async fn wait(&self) {
        let arrival = self.arrivals.notified();
        let visible = self.state().messages.values().filter_map(|message| message.in_flight_until).min();
        let poll_ends = Instant::now() + Duration::from_secs(20);
        let until = visible.map_or(poll_ends, |visible| visible.min(poll_ends));
        let _ = tokio::time::timeout_at(until, arrival).await;
    }

    /// Deletes a message in flight.
    ///
    /// # Errors
    /// [`NotInFlight`] if its visibility timeout has ended since this receipt.
    pub fn delete(&self, receipt: &str) -> Result<(), NotInFlight> {
        let mut state = self.state();
        let sequence = state.in_flight(receipt)?;
        state.messages.remove(&sequence);
        drop(state);
        // The next messages of its group may be received.
        self.arrivals.notify_waiters();
        Ok(())
    }

    /// Sets the visibility timeout of a message in flight, from now on.
    ///
    /// # Errors
    /// [`NotInFlight`] if its visibility timeout has ended since this receipt.
    pub fn change_visibility(&self, receipt: &str, visibility: Duration) -> Result<(), NotInFlight> {
        let mut state = self.state();
        let sequence = state.in_flight(receipt)?;
        if let Some(message) = state.messages.get_mut(&sequence) {
            message.in_flight_until = Some(Instant::now() + visibility);
        }
        drop(state);
        self.arrivals.notify_waiters();
        Ok(())
    }

    /// Returns the group of the message that a receipt handle was given for, while it is in the queue.
    pub fn group_of(&self, receipt: &str) -> Option<String> {
        let sequence = receipt.split_once(':')?.0.parse().ok()?;
        self.state().messages.get(&sequence).map(|message| message.sent.group.clone())
    }

    /// Puts a message into the dead-letter queue.
    pub fn dead_letter(&self, message: Outgoing) {
        self.state().dead_letters.push(message);
    }

    /// Returns the messages that are queued or in flight, by group.
    pub fn groups(&self) -> BTreeMap<String, usize> {
        let mut groups = BTreeMap::new();
        for message in self.state().messages.values() {
            *groups.entry(message.sent.group.clone()).or_default() += 1;
        }
        groups
    }

    /// Returns the number of dead letters.
    pub fn dead_letters(&self) -> usize {
        self.state().dead_letters.len()
    }
}

impl State {
    fn end_visibility(&mut self, now: Instant) {
        for message in self.messages.values_mut() {
            if message.in_flight_until.is_some_and(|until| until <= now) {
                message.in_flight_until = None;
            }
        }
    }

    /// Returns the messages of groups without a message in flight, among the first that the queue looks at.
    fn available(&self, limits: &FifoLimits) -> BTreeMap<String, Vec<u64>> {
        let in_flight = self.messages.values().filter(|message| message.in_flight_until.is_some());
        let locked: BTreeSet<&str> = in_flight.map(|message| message.sent.group.as_str()).collect();
        let mut groups: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (sequence, message) in self.messages.iter().take(limits.window) {
            let is_free = if limits.locks_groups {
                !locked.contains(message.sent.group.as_str())
            } else {
                message.in_flight_until.is_none()
            };
            if is_free {
                groups.entry(message.sent.group.clone()).or_default().push(*sequence);
            }
        }
        groups
    }

    fn in_flight(&mut self, receipt: &str) -> Result<u64, NotInFlight> {
        self.end_visibility(Instant::now());
        let numbers = receipt.split_once(':').and_then(|(sequence, receipt)| {
            Some((sequence.parse::<u64>().ok()?, receipt.parse::<u64>().ok()?))
        });
        let (sequence, receipt) = numbers.ok_or(NotInFlight)?;
        let message = self.messages.get(&sequence).ok_or(NotInFlight)?;
        let is_valid = message.in_flight_until.is_some() && message.receipt == receipt;
        if is_valid { Ok(sequence) } else { Err(NotInFlight) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(limits: FifoLimits) -> (Fifo, SeededRandom) {
        (Fifo::new(limits), SeededRandom::new(1))
    }

    fn message(group: &str, id: &str) -> Outgoing {
        Outgoing { group: group.to_owned(), deduplication_id: id.to_owned(), body: id.to_owned() }
    }

    fn bodies(received: &[Received]) -> Vec<&str> {
        received.iter().map(|message| message.sent.body.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn group_is_locked_until_deletion_or_end_of_visibility() {
        let (queue, random) = queue(FifoLimits::default());
        for id in ["1", "2", "3"] {
            queue.send(message("a", id));
        }
        let first = queue.receive(2, &random);
        assert_eq!(bodies(&first), ["1", "2"]);
        assert!(queue.receive(10, &random).is_empty());
        queue.delete(&first[0].receipt).unwrap();
        assert!(queue.receive(10, &random).is_empty());
        tokio::time::advance(Duration::from_mins(3)).await;
        let again = queue.receive(10, &random);
        assert_eq!((bodies(&again), again[0].receives, again[1].receives), (vec!["2", "3"], 2, 1));
        assert_eq!(again[0].first_received_at, first[1].first_received_at);
        // The receipt of before is of no use any more.
        assert!(queue.delete(&first[1].receipt).is_err());
        assert!(queue.change_visibility(&first[1].receipt, SECOND).is_err());
        queue.change_visibility(&again[0].receipt, Duration::ZERO).unwrap();
        queue.change_visibility(&again[1].receipt, Duration::ZERO).unwrap();
        assert_eq!(bodies(&queue.receive(10, &random)), ["2", "3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_id_is_ignored_for_five_minutes() {
        let (queue, random) = queue(FifoLimits::default());
        let first = queue.send(message("a", "1"));
        tokio::time::advance(Duration::from_secs(299)).await;
        assert_eq!(queue.send(message("a", "1")), first);
        assert!(queue.send(message("b", "1")) > first);
        tokio::time::advance(SECOND).await;
        assert!(queue.send(message("a", "1")) > first);
        assert_eq!(queue.receive(10, &random).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn messages_behind_the_window_are_not_seen() {
        let (queue, random) = queue(FifoLimits { window: 2, ..FifoLimits::default() });
        for (group, id) in [("a", "1"), ("a", "2"), ("b", "3")] {
            queue.send(message(group, id));
        }
        let first = queue.receive(1, &random);
        assert_eq!(bodies(&first), ["1"]);
        assert!(queue.receive(10, &random).is_empty());
        queue.delete(&first[0].receipt).unwrap();
        assert_eq!(queue.receive(10, &random).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn message_received_too_often_is_a_dead_letter() {
        let (queue, random) = queue(FifoLimits { max_receives: 1, ..FifoLimits::default() });
        queue.send(message("a", "1"));
        assert_eq!(queue.receive(10, &random).len(), 1);
        tokio::time::advance(Duration::from_mins(3)).await;
        assert!(queue.receive(10, &random).is_empty());
        assert_eq!((queue.dead_letters(), queue.groups().len()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_limit_are_in_flight() {
        let (queue, random) = queue(FifoLimits { in_flight: 2, ..FifoLimits::default() });
        for group in ["a", "b", "c"] {
            queue.send(message(group, group));
        }
        assert_eq!(queue.receive(10, &random).len(), 2);
        assert!(queue.receive(10, &random).is_empty());
    }
}
