//! The promises of docs/explanation/delivery.md, checked on what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::history::{History, Life, Take};
use crate::plan::SendPlan;
use crate::run::Finished;
use crate::trace::What;
use crate::world::server_time;

/// How long a notification may take, from its acceptance or the opening of a connection, to a user who is
/// not in trouble, in milliseconds. A user in trouble holds its own runs up for seconds.
pub(crate) const BOUND: u64 = 1_000;
/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// (a) Nothing accepted is lost before its expiry.
    NothingLost,
    /// (b) First deliveries are in order.
    InOrder,
    /// (c) A repeat has a fault that explains it.
    NoNeedlessRepeat,
    /// (d) When all is quiet, everything has arrived.
    NothingStranded,
    /// (d) After the acks nothing is held any more, not even on disk.
    MailboxEmpties,
    /// (e) A user's trouble delays nobody else.
    NobodyDelayed,
    /// Nothing is delivered by a run that began after its expiry.
    NotAfterExpiry,
    /// What is delivered is what was sent.
    AsSent,
    /// A producer's retry is accepted once.
    AcceptedOnce,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub promise: Promise,
    /// To whom.
    pub user: usize,
    /// When that was seen, in virtual milliseconds.
    pub at: u64,
    /// How.
    pub how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, user, at, how } = self;
        write!(f, "{promise:?} is broken for u{user} at {}.{:03} s: {how}", at / 1_000, at % 1_000)
    }
}

/// Looks for a broken promise.
pub fn check(finished: &Finished) -> Option<Broken> {
    (0..finished.plan.users.len()).find_map(|user| {
        let history = History::read(&finished.trace.0, user);
        let sends = &finished.plan.users[user].producers;
        let sends = sends.iter().flatten().map(|send| (send.number, *send)).collect();
        let subject = Subject { finished, user, history, sends, clock: Clock::read(finished) };
        subject.check()
    })
}

/// What the server's clock showed.
struct Clock {
    latest: u64,
    jumped: bool,
}

impl Clock {
    fn read(finished: &Finished) -> Self {
        let (mut latest, mut off) = (0, 0_i64);
        for event in &finished.trace.0 {
            if let What::Jumped(by) = event.what {
                off += by;
            }
            latest = latest.max(server_time(event.at).saturating_add_signed(off));
        }
        Self { latest, jumped: !finished.plan.jumps.is_empty() }
    }
}

struct Subject<'a> {
    finished: &'a Finished,
    user: usize,
    history: History,
    sends: BTreeMap<u32, SendPlan>,
    clock: Clock,
}

impl Subject<'_> {
    fn check(&self) -> Option<Broken> {
        let checks = [
            Self::as_sent,
            Self::accepted_once,
            Self::in_order,
            Self::in_order_over_each_connection,
            Self::no_needless_repeat,
            Self::no_needless_repeat_elsewhere,
            Self::not_after_expiry,
            Self::everything_arrived,
            Self::mailbox_empties,
            Self::nobody_delayed,
        ];
        checks.iter().find_map(|check| check(self))
    }

    fn broken(&self, promise: Promise, at: u64, how: String) -> Broken {
        Broken { promise, user: self.user, at, how }
    }

    fn is_drop(&self, number: u32) -> bool {
        self.sends.get(&number).is_some_and(|send| send.drop)
    }

    fn as_sent(&self) -> Option<Broken> {
        let at = self.history.garbled?;
        Some(self.broken(Promise::AsSent, at, "a socket took a frame that nobody sent".to_owned()))
    }

    fn accepted_once(&self) -> Option<Broken> {
        let (number, at, second, life) =
            self.history.lives.iter().find_map(|(number, life)| {
                life.second_sequence.map(|(at, second)| (number, at, second, life))
            })?;
        let first = life.sequence.unwrap_or(0);
        Some(self.broken(Promise::AcceptedOnce, at, format!("n{number} is {first} and {second}")))
    }

    /// (b), for the user: the first socket to take a notification counts.
    fn in_order(&self) -> Option<Broken> {
        let all = self.history.taken.iter().map(|take| (take.at, take.number));
        self.ordered(all, "")
    }

    /// (b), for each of the devices.
    fn in_order_over_each_connection(&self) -> Option<Broken> {
        self.history.links.keys().find_map(|connection| {
            let own = self.history.taken.iter().filter(|take| take.connection == *connection);
            self.ordered(own.map(|take| (take.at, take.number)), &format!(" over c{connection}"))
        })
    }

    fn ordered(&self, taken: impl Iterator<Item = (u64, u32)>, place: &str) -> Option<Broken> {
        let (mut seen, mut highest) = (BTreeSet::new(), None);
        for (at, number) in taken {
            let life = self.history.lives.get(&number);
            let sequence = life.and_then(|life| life.sequence);
            let Some(sequence) = sequence.filter(|_| seen.insert(number)) else { continue };
            match highest {
                Some((other, last)) if last > sequence => {
                    // Not promised for these after a fault, nor for what had expired before the clock went
                    // back.
                    let revived = self.clock.jumped && life.is_some_and(|life| life.expires_at.is_some());
                    let dropped = self.is_drop(number) && self.history.excuses(0, at, true) > 0;
                    if !revived && !dropped {
                        let how = format!("n{number} comes after n{other}{place}");
                        return Some(self.broken(Promise::InOrder, at, how));
                    }
                }
                _ => highest = Some((number, sequence)),
            }
        }
        None
    }

    /// (c), over one connection: every repeat has a fault of its own since the run that pushed it first.
    fn no_needless_repeat(&self) -> Option<Broken> {
        let mut times: BTreeMap<(u32, u32), (u64, usize)> = BTreeMap::new();
        for Take { at, number, connection, listed } in &self.history.taken {
            let (since, count) = times.entry((*number, *connection)).or_insert((*listed, 0));
            let excuses = self.history.excuses(*since, *at, false);
            if *count > excuses {
                let how = format!(
                    "c{connection} gets n{number} again, {count} times, and there were {excuses} faults"
                );
                return Some(self.broken(Promise::NoNeedlessRepeat, *at, how));
            }
            *count += 1;
        }
        None
    }

    /// (c), for a user none of whose devices acknowledges: what was taken by a socket is not delivered over
    /// a later connection, unless a fault explains it.
    fn no_needless_repeat_elsewhere(&self) -> Option<Broken> {
        if self.finished.plan.users[self.user].devices.iter().any(|device| device.acknowledges) {
            return None;
        }
        self.history.lives.iter().find_map(|(number, life)| {
            let (first, taker) = life.takes.first()?;
            if self.history.was_given_up(*taker, *first) {
                return None;
            }
            let late = |(at, connection): &&(u64, u32)| {
                let began = self.history.links.get(connection).map_or(0, |link| link.began);
                began > *first && self.history.excuses(*first, *at, true) == 0
            };
            let (at, connection) = life.takes.iter().find(late)?;
            let how = format!("c{connection} gets n{number}, which was taken before it came");
            Some(self.broken(Promise::NoNeedlessRepeat, *at, how))
        })
    }

    fn not_after_expiry(&self) -> Option<Broken> {
        if self.clock.jumped {
            return None;
        }
        self.history.lives.iter().find_map(|(number, life)| {
            let at = life.late_at?;
            Some(self.broken(
                Promise::NotAfterExpiry,
                at,
                format!("n{number} had expired before its run began"),
            ))
        })
    }

    /// (e): a user who is not in trouble gets everything in a bounded time.
    fn nobody_delayed(&self) -> Option<Broken> {
        if self.finished.plan.users[self.user].troubled {
            return None;
        }
        self.history.lives.iter().find_map(|(number, life)| {
            let stored = life.stored_at?;
            self.history.links.iter().find_map(|(connection, link)| {
                let opened = link.opened?;
                if opened > stored && self.is_over(*number, life, opened) {
                    return None;
                }
                let due = stored.max(opened) + BOUND;
                let expires = life.expires_at.is_some_and(|at| self.clock.jumped || at <= server_time(due));
                let there = link.closed.is_none_or(|closed| closed > due) && self.end() > due;
                let late = there && !expires && life.read_at.is_none_or(|read| read > due);
                let excused = self.history.was_down(stored.max(opened), due) || self.history.was_writing(due);
                if !late || excused {
                    return None;
                }
                let how = format!("c{connection} waits more than {BOUND} ms for n{number}");
                Some(self.broken(Promise::NobodyDelayed, due, how))
            })
        })
    }

    /// Whether a notification is no longer due for a connection that opens then.
    fn is_over(&self, number: u32, life: &Life, opened: u64) -> bool {
        self.is_drop(number) || life.takes.iter().any(|(at, _)| *at <= opened)
    }

    fn end(&self) -> u64 {
        let is_end = |event: &&crate::trace::Event| matches!(event.what, What::Ended(_));
        self.finished.trace.0.iter().rfind(is_end).map_or(0, |event| event.at)
    }

    /// (a) and (d).
    fn everything_arrived(&self) -> Option<Broken> {
        self.history.lives.iter().find_map(|(number, life)| {
            let known = life.accepted || life.stored_at.is_some();
            if !known || life.read_at.is_some() || self.may_be_missing(*number, life) {
                return None;
            }
            let held =
                self.history.held.is_some_and(|(_, held)| life.sequence.is_some_and(|own| own <= held));
            let (promise, how) = if held {
                (Promise::NothingStranded, format!("n{number} is still held"))
            } else {
                (Promise::NothingLost, format!("n{number} was accepted, and never arrived"))
            };
            Some(self.broken(promise, self.end(), how))
        })
    }

    fn may_be_missing(&self, number: u32, life: &Life) -> bool {
        let expired = life.expires_at.is_some_and(|at| at <= self.clock.latest);
        // Where it is not to be held, only those that are always there have a claim to it: see above.
        let dropped = self.is_drop(number);
        // A gateway can't know more than that the socket took it, unless the client acknowledges.
        let swallowed = life.takes.iter().any(|(_, connection)| {
            self.history.links.get(connection).is_some_and(|link| !link.acknowledges && link.closed.is_some())
        });
        let dead = life.sequence.is_some_and(|sequence| {
            let receives =
                usize::try_from(self.finished.plan.storage.max_receive_count).unwrap_or(usize::MAX);
            let failures = self.history.excuses(0, u64::MAX, false);
            self.history.dead.contains(&sequence)
                && (self.history.poisoned.contains(&sequence) || failures >= receives)
        });
        expired || dropped || swallowed || dead
    }

    fn mailbox_empties(&self) -> Option<Broken> {
        let (at, sequence) = self.history.held?;
        Some(self.broken(Promise::MailboxEmpties, at, format!("all is quiet, and {sequence} is still held")))
    }
}
