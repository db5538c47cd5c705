//! Checks of the promises of docs/explanation/delivery.md on a log.

use std::collections::{BTreeMap, BTreeSet};

use crate::endings::Endings;
use crate::frames::FIRST_OF_HUB;
use crate::log::{Event, EventKind};
use crate::members::check_hub;
use crate::promise::{Promise, Violation};
use crate::run::Finished;

/// Milliseconds that a user waits at most for the other users of a batch.
const MAX_WAIT: u64 = 2_000;
/// Milliseconds that the calls after a user's last push take at most.
const AFTER_PUSH: u64 = 200;
/// Milliseconds after which a run may be cut short, so that what some of its connections took is pushed again.
const MIN_CUT: u64 = 900;
/// Entries that the replayer sends at most for an insertion, and pages that it reads at most.
const MAX_ENTRIES: usize = 10;
const MAX_READS: usize = 9;
/// Deliveries of an entry after which it has left the queue, unless calls fail.
const MAX_RECEIVES: u32 = 4;

/// Checks every promise and returns the first violation, if there is one: of the invocations, else of the first user for
/// whom one is broken.
pub fn check(finished: &Finished) -> Option<Violation> {
    let batches = Batches::read(&finished.log);
    let by_user = || {
        (0..finished.plan.users.len()).find_map(|user| {
            let own: Vec<_> = finished.log.iter().filter(|event| event.user == Some(user)).collect();
            check_user(finished, user, &own, &batches).or_else(|| check_waits(finished, user, &own, &batches))
        })
    };
    // First, because everybody waits for an invocation that does not end.
    check_invocations(&finished.log).or_else(by_user).or_else(|| check_hub(finished))
}

fn check_user(finished: &Finished, user: usize, own: &[&Event], batches: &Batches) -> Option<Violation> {
    let trouble = finished.plan.users[user].trouble;
    let stays_too_long = !finished.plan.disturbs_everybody() && trouble.failing == 0 && trouble.slow == 0;
    let violation = |promise, at, details: String| Violation { promise, user: Some(user), at, details };
    let mut sequences: BTreeMap<u32, u64> = BTreeMap::new();
    let mut misplaced = BTreeSet::new();
    let mut acknowledges = BTreeMap::new();
    let mut arrived = BTreeSet::new();
    let mut last_pushed = None;
    // By connection: the notifications pushed, with the number of faults at the last push of each, and its invocation.
    let mut pushed: BTreeMap<(u32, u32), (usize, u64)> = BTreeMap::new();
    let mut last_of_connection: BTreeMap<u32, u32> = BTreeMap::new();
    let mut first_pushes = BTreeSet::new();
    let mut last_invocation = 0;
    let mut faults = 0;
    // What is to be dropped, with the number of faults when it was made.
    let mut drops = BTreeMap::new();
    for Event { at, kind, .. } in own {
        match kind {
            EventKind::Accepted { number, sequence } => {
                let first = *sequences.entry(*number).or_insert(*sequence);
                // A broadcast that is redelivered later than the queue knows its ids is queued again.
                if first != *sequence && *number < FIRST_OF_HUB {
                    let details = format!("n{number} is {first} and {sequence}");
                    return Some(violation(Promise::AcceptedOnce, *at, details));
                }
            }
            EventKind::Misplaced { number } => {
                misplaced.insert(*number);
            }
            // A repeated forward after the queue has forgotten the first is a duplicate.
            EventKind::Forwarded { number, sequence } => {
                sequences.entry(*number).or_insert(*sequence);
            }
            EventKind::Terms { number, drops: true, .. } => {
                drops.entry(*number).or_insert(faults);
            }
            EventKind::Opened { connection, acknowledges: acks } => {
                acknowledges.insert(*connection, *acks);
            }
            EventKind::Redelivered { receives } if *receives > MAX_RECEIVES && stays_too_long => {
                let details = format!("an entry is delivered {receives} times");
                return Some(violation(Promise::LeavesTheQueue, *at, details));
            }
            EventKind::Fault(_) | EventKind::Redelivered { .. } => faults += 1,
            EventKind::Pushed { connection, invocation, numbers } => {
                if *invocation < last_invocation {
                    let details =
                        format!("invocation {invocation} pushes after invocation {last_invocation}");
                    return Some(violation(Promise::OneRunAtATime, *at, details));
                }
                last_invocation = *invocation;
                for number in numbers {
                    let repeat = pushed.insert((*connection, *number), (faults, *invocation));
                    let is_needless = |(before, first)| before == faults && batches.millis(first) < MIN_CUT;
                    if repeat.is_some_and(is_needless) {
                        let details = format!("n{number} comes again over c{connection}");
                        return Some(violation(Promise::NoNeedlessRepeat, *at, details));
                    }
                    let last = last_of_connection.entry(*connection).or_insert(*number);
                    let sequence = |number: &u32| sequences.get(number).copied().unwrap_or(0);
                    // After a fault, what is to be dropped may come behind later notifications.
                    let may_be_late = drops.get(number).is_some_and(|before| *before < faults);
                    let is_late = |before: &u32| sequence(before) > sequence(number);
                    let is_wrong = repeat.is_none() && is_late(last)
                        || first_pushes.insert(*number) && last_pushed.as_ref().is_some_and(is_late);
                    if is_wrong && !may_be_late {
                        let details = format!("n{number} comes over c{connection} after a later one");
                        return Some(violation(Promise::InOrder, *at, details));
                    }
                    if !is_late(last) {
                        *last = *number;
                    }
                    last_pushed = last_pushed.filter(is_late).or(Some(*number));
                    if acknowledges.get(connection) == Some(&false) {
                        arrived.insert(*number);
                    }
                }
            }
            EventKind::Arrived { numbers, .. } => arrived.extend(numbers),
            EventKind::Replayed { reads, entries } if *entries > MAX_ENTRIES || *reads > MAX_READS => {
                let details = format!("the replayer reads {reads} pages and sends {entries} entries");
                return Some(violation(Promise::BoundedReplay, *at, details));
            }
            EventKind::Held { sequence } => {
                let details = format!("{sequence} is still held");
                return Some(violation(Promise::EverythingEmpties, *at, details));
            }
            EventKind::Queued { entries } => {
                let details = format!("{entries} entries are still queued");
                return Some(violation(Promise::EverythingEmpties, *at, details));
            }
            _ => {}
        }
    }
    let at = own.last().map_or(0, |event| event.at);
    let endings = Endings::read(own, at);
    if let Some((promise, at, details)) = endings.check(&arrived, finished.plan.is_quiet_for(user)) {
        return Some(violation(promise, at, details));
    }
    let mut accepted = sequences.keys().chain(&misplaced);
    let lost = accepted.find(|number| !arrived.contains(number) && !endings.may_end(**number))?;
    Some(violation(Promise::NothingLost, at, format!("n{lost} has not arrived")))
}

/// A batch that the dispatcher worked on.
#[derive(Debug, Clone, Copy, Default)]
struct Batch {
    began: u64,
    ended: u64,
    users: usize,
}

/// The batches by invocation.
struct Batches(BTreeMap<u64, Batch>);

impl Batches {
    fn read(log: &[Event]) -> Self {
        let mut batches: BTreeMap<u64, Batch> = BTreeMap::new();
        for Event { at, kind, .. } in log {
            match kind {
                EventKind::BatchBegan { invocation, users } => {
                    batches.insert(*invocation, Batch { began: *at, ended: u64::MAX, users: users.len() });
                }
                EventKind::BatchEnded { invocation, .. } => {
                    batches.entry(*invocation).or_default().ended = *at;
                }
                _ => {}
            }
        }
        Self(batches)
    }

    /// Returns the duration of a batch.
    fn millis(&self, invocation: u64) -> u64 {
        self.0.get(&invocation).map_or(0, |batch| batch.ended - batch.began)
    }
}

/// (e): after a user's last push in a batch, the batch is answered soon.
fn check_waits(
    finished: &Finished,
    user: usize,
    own: &[&Event],
    Batches(batches): &Batches,
) -> Option<Violation> {
    if finished.plan.users[user].trouble.is_some() || finished.plan.disturbs_everybody() {
        return None;
    }
    let mut last_pushes = BTreeMap::new();
    for Event { at, kind, .. } in own {
        if let EventKind::Pushed { invocation, .. } = kind {
            last_pushes.insert(*invocation, *at);
        }
    }
    last_pushes.into_iter().find_map(|(invocation, at)| {
        let Batch { ended: answered, users, .. } = batches.get(&invocation).copied()?;
        let waits = answered.saturating_sub(at);
        (users > 1 && waits > MAX_WAIT + AFTER_PUSH).then(|| Violation {
            promise: Promise::NobodyDelayed,
            user: Some(user),
            at: answered,
            details: format!("invocation {invocation} is answered {waits} ms after the user's last push"),
        })
    })
}

fn check_invocations(log: &[Event]) -> Option<Violation> {
    log.iter().find_map(|Event { at, kind, .. }| match kind {
        EventKind::BatchEnded { invocation, error: Some("timed out") } => Some(Violation {
            promise: Promise::InvocationsEnd,
            user: None,
            at: *at,
            details: format!("invocation {invocation} does not end"),
        }),
        _ => None,
    })
}
