//! Checks of the promises of docs/explanation/delivery.md on a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tidings_sockets::Confirm;

use crate::history::{History, SentItem, Timeline};
use crate::plan::SendPlan;
use crate::run::Finished;
use crate::simulation::server_time;
use crate::trace::{Event, EventKind};

/// Milliseconds within which a user without faults gets a notification, from its acceptance or the opening of
/// a connection. A faulty user's runs may take seconds.
pub(crate) const MAX_DELAY: u64 = 1_000;

/// A promise of delivery. The letters are those of docs/explanation/delivery.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// (a) No accepted notification is lost before its expiry.
    NothingLost,
    /// (b) First deliveries are in order.
    InOrder,
    /// (c) A fault explains each repeat.
    NoNeedlessRepeat,
    /// (d) When all is quiet, everything has arrived.
    NothingStranded,
    /// (d) After the acks nothing is held any more, not even on disk.
    MailboxEmpties,
    /// (e) A faulty user delays no other user.
    NobodyDelayed,
    /// A run delivers no notification that had expired when the run began.
    NotAfterExpiry,
    /// Delivered notifications are equal to the submitted ones.
    AsSent,
    /// A producer's retry is accepted once.
    AcceptedOnce,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The promise.
    pub promise: Promise,
    /// The user to whom it was broken.
    pub user: usize,
    /// Time at which it was broken, in virtual milliseconds.
    pub at: u64,
    /// The way in which it was broken, for people.
    pub details: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, user, at, details } = self;
        write!(f, "{promise:?} is broken for u{user} at {}.{:03} s: {details}", at / 1_000, at % 1_000)
    }
}

/// Checks every promise for every user and returns the first violation.
pub fn check(finished: &Finished) -> Option<Violation> {
    (0..finished.plan.users.len()).find_map(|user| {
        let history = History::read(&finished.trace.0, user);
        let sends = &finished.plan.users[user].producers;
        let sends = sends.iter().flatten().map(|send| (send.number, *send)).collect();
        let user = UserCheck { finished, user, history, sends, clock: ServerClock::read(finished) };
        user.check()
    })
}

/// The times that the server's clock showed.
struct ServerClock {
    latest: u64,
    jumped: bool,
}

impl ServerClock {
    fn read(finished: &Finished) -> Self {
        let (mut latest, mut error) = (0, 0_i64);
        for event in &finished.trace.0 {
            if let EventKind::ClockJumped(by) = event.kind {
                error += by;
            }
            latest = latest.max(server_time(event.at).saturating_add_signed(error));
        }
        Self { latest, jumped: !finished.plan.clock_jumps.is_empty() }
    }
}

/// The checks for one user.
struct UserCheck<'a> {
    finished: &'a Finished,
    user: usize,
    history: History,
    sends: BTreeMap<u32, SendPlan>,
    clock: ServerClock,
}

impl UserCheck<'_> {
    fn check(&self) -> Option<Violation> {
        let checks = [
            Self::as_sent,
            Self::accepted_once,
            Self::in_order,
            Self::in_order_on_each_connection,
            Self::no_needless_repeat,
            Self::no_needless_repeat_elsewhere,
            Self::not_after_expiry,
            Self::everything_arrived,
            Self::mailbox_empties,
            Self::nobody_delayed,
        ];
        checks.iter().find_map(|check| check(self))
    }

    fn violation(&self, promise: Promise, at: u64, details: String) -> Violation {
        Violation { promise, user: self.user, at, details }
    }

    fn is_drop(&self, number: u32) -> bool {
        self.sends.get(&number).is_some_and(|send| send.drop)
    }

    fn as_sent(&self) -> Option<Violation> {
        let at = self.history.wrong_frame?;
        let details = "a socket took a frame that differs from what was submitted";
        Some(self.violation(Promise::AsSent, at, details.to_owned()))
    }

    fn accepted_once(&self) -> Option<Violation> {
        let (number, at, second, timeline) =
            self.history.notifications.iter().find_map(|(number, timeline)| {
                timeline.second_sequence.map(|(at, second)| (number, at, second, timeline))
            })?;
        let first = timeline.sequence.unwrap_or(0);
        Some(self.violation(Promise::AcceptedOnce, at, format!("n{number} is {first} and {second}")))
    }

    /// (b), for the user: the first socket that takes a notification counts.
    fn in_order(&self) -> Option<Violation> {
        let all = self.history.sent.iter().map(|item| (item.at, item.number));
        self.ordered(all, "")
    }

    /// (b), on each connection.
    fn in_order_on_each_connection(&self) -> Option<Violation> {
        self.history.connections.keys().find_map(|connection| {
            let own = self.history.sent.iter().filter(|item| item.connection == *connection);
            self.ordered(own.map(|item| (item.at, item.number)), &format!(" on c{connection}"))
        })
    }

    fn ordered(&self, sent: impl Iterator<Item = (u64, u32)>, place: &str) -> Option<Violation> {
        let (mut seen, mut highest) = (BTreeSet::new(), None);
        for (at, number) in sent {
            let timeline = self.history.notifications.get(&number);
            let sequence = timeline.and_then(|timeline| timeline.sequence);
            let Some(sequence) = sequence.filter(|_| seen.insert(number)) else { continue };
            match highest {
                Some((other, last)) if last > sequence => {
                    // Order is not promised for `whenOffline: drop` after a fault, nor for a notification
                    // that had expired before the clock went back.
                    let has_expiry = timeline.is_some_and(|timeline| timeline.expires_at.is_some());
                    let revived = self.clock.jumped && has_expiry;
                    let dropped = self.is_drop(number) && self.history.count_causes(0, at, true) > 0;
                    if !revived && !dropped {
                        let details = format!("n{number} comes after n{other}{place}");
                        return Some(self.violation(Promise::InOrder, at, details));
                    }
                }
                _ => highest = Some((number, sequence)),
            }
        }
        None
    }

    /// (c), on one connection: every repeat has a cause of its own since the run that first pushed it.
    fn no_needless_repeat(&self) -> Option<Violation> {
        let mut times: BTreeMap<(u32, u32), (u64, usize)> = BTreeMap::new();
        for SentItem { at, number, connection, listed } in &self.history.sent {
            let (since, count) = times.entry((*number, *connection)).or_insert((*listed, 0));
            let causes = self.history.count_causes(*since, *at, false)
                + self.history.dropped_before(*connection, *since);
            if *count > causes {
                let details =
                    format!("c{connection} gets n{number} again, {count} times, with {causes} faults");
                return Some(self.violation(Promise::NoNeedlessRepeat, *at, details));
            }
            *count += 1;
        }
        None
    }

    /// (c), for a user without acknowledging devices: a notification that a client has is not delivered on a later
    /// connection without a cause. A client has it when its pong says so or, without receipts, when its socket took
    /// it.
    fn no_needless_repeat_elsewhere(&self) -> Option<Violation> {
        if self.finished.plan.users[self.user].devices.iter().any(|device| device.acknowledges) {
            return None;
        }
        if self.finished.plan.limits.confirm == Confirm::Pong {
            return self.no_repeat_after_receipt();
        }
        self.history.notifications.iter().find_map(|(number, timeline)| {
            let (first, connection) = timeline.sent.first()?;
            if self.history.was_abandoned(*connection, *first) {
                return None;
            }
            let is_late = |(at, connection): &&(u64, u32)| {
                let began = self.history.connections.get(connection).map_or(0, |timeline| timeline.began);
                began > *first && self.history.count_causes(*first, *at, true) == 0
            };
            let (at, connection) = timeline.sent.iter().find(is_late)?;
            let details = format!("c{connection} gets n{number}, which was sent before c{connection} began");
            Some(self.violation(Promise::NoNeedlessRepeat, *at, details))
        })
    }

    fn no_repeat_after_receipt(&self) -> Option<Violation> {
        let mut run_before_receipt: BTreeMap<u32, u64> = BTreeMap::new();
        self.history.sent.iter().find_map(|SentItem { at, number, connection, listed }| {
            let sequence = self.history.notifications.get(number)?.sequence?;
            let confirmed = *self.history.confirmed.get(&sequence)?;
            // A run that began before the receipt may have read the row before.
            if *listed <= confirmed {
                run_before_receipt.insert(*number, *listed);
                return None;
            }
            // A fault may have made the queue deliver it again, and a crash may have undone the receipt.
            let since = run_before_receipt.get(number).copied().unwrap_or(0);
            if self.history.count_causes(since, *at, true) > 0 {
                return None;
            }
            let details = format!("c{connection} gets n{number}, for which there was a receipt");
            Some(self.violation(Promise::NoNeedlessRepeat, *at, details))
        })
    }

    fn not_after_expiry(&self) -> Option<Violation> {
        if self.clock.jumped {
            return None;
        }
        self.history.notifications.iter().find_map(|(number, timeline)| {
            let at = timeline.sent_late_at?;
            let details = format!("n{number} had expired before its run began");
            Some(self.violation(Promise::NotAfterExpiry, at, details))
        })
    }

    /// (e): a user without faults gets everything within [`MAX_DELAY`].
    fn nobody_delayed(&self) -> Option<Violation> {
        if self.finished.plan.users[self.user].is_faulty {
            return None;
        }
        self.history.notifications.iter().find_map(|(number, timeline)| {
            let stored = timeline.stored_at?;
            self.history.connections.iter().find_map(|(connection, own)| {
                let opened = own.opened?;
                if opened > stored && self.is_not_due(*number, timeline, opened) {
                    return None;
                }
                let due = stored.max(opened) + MAX_DELAY;
                let expires =
                    timeline.expires_at.is_some_and(|at| self.clock.jumped || at <= server_time(due));
                let is_there = own.closed.is_none_or(|closed| closed > due) && self.end() > due;
                let is_late = is_there && !expires && timeline.read_at.is_none_or(|read| read > due);
                let is_excused =
                    self.history.was_down(stored.max(opened), due) || self.history.was_writing(due);
                if !is_late || is_excused {
                    return None;
                }
                let details = format!("c{connection} waits more than {MAX_DELAY} ms for n{number}");
                Some(self.violation(Promise::NobodyDelayed, due, details))
            })
        })
    }

    /// True if a notification is no longer due for a connection that opens then.
    fn is_not_due(&self, number: u32, timeline: &Timeline, opened: u64) -> bool {
        self.is_drop(number) || timeline.sent.iter().any(|(at, _)| *at <= opened)
    }

    /// Time at which the last process ended.
    fn end(&self) -> u64 {
        let is_end = |event: &&Event| matches!(event.kind, EventKind::Ended(_));
        self.finished.trace.0.iter().rfind(is_end).map_or(0, |event| event.at)
    }

    /// (a) and (d).
    fn everything_arrived(&self) -> Option<Violation> {
        self.history.notifications.iter().find_map(|(number, timeline)| {
            let is_known = timeline.accepted || timeline.stored_at.is_some();
            if !is_known || timeline.read_at.is_some() || self.may_be_missing(*number, timeline) {
                return None;
            }
            let is_held =
                self.history.held.is_some_and(|(_, held)| timeline.sequence.is_some_and(|own| own <= held));
            let (promise, details) = if is_held {
                (Promise::NothingStranded, format!("n{number} is still held"))
            } else {
                (Promise::NothingLost, format!("n{number} was accepted and never arrived"))
            };
            Some(self.violation(promise, self.end(), details))
        })
    }

    /// True if there is a reason for which no client read a notification.
    fn may_be_missing(&self, number: u32, timeline: &Timeline) -> bool {
        let expired = timeline.expires_at.is_some_and(|at| at <= self.clock.latest);
        // With `whenOffline: drop` only a user who is always connected has a claim: see `nobody_delayed`.
        let dropped = self.is_drop(number);
        // Without acks and receipts, a gateway knows only that the socket took the frame.
        let written_counts = self.finished.plan.limits.confirm == Confirm::Written;
        let swallowed = written_counts
            && timeline.sent.iter().any(|(_, connection)| {
                let connection = self.history.connections.get(connection);
                connection.is_some_and(|own| !own.acknowledges && own.closed.is_some())
            });
        let is_dead_letter = timeline.sequence.is_some_and(|sequence| {
            let receives =
                usize::try_from(self.finished.plan.storage.max_receive_count).unwrap_or(usize::MAX);
            let failures = self.history.count_causes(0, u64::MAX, false);
            self.history.dead_letters.contains(&sequence)
                && (self.history.damaged.contains(&sequence) || failures >= receives)
        });
        expired || dropped || swallowed || is_dead_letter
    }

    fn mailbox_empties(&self) -> Option<Violation> {
        let (at, sequence) = self.history.held?;
        let details = format!("all is quiet, and {sequence} is still held");
        Some(self.violation(Promise::MailboxEmpties, at, details))
    }
}
