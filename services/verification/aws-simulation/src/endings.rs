//! Endings of notifications that expire or are dropped.
//!
//! Such a notification need not arrive. It ends as expired at its expiry and not before, or as dropped when the user has
//! no connection. Where nothing goes wrong, its end is recorded, and it arrives if the user was connected long enough.

use std::collections::{BTreeMap, BTreeSet};

use contract_history_v1::HistoryOutcome;

use crate::log::{Event, EventKind};
use crate::promise::Promise;

/// Milliseconds from the look at a notification's expiry to the end of its push.
const PUSH: u64 = 1_000;
/// The same where calls fail, are slow, or are tried again.
const TROUBLED_PUSH: u64 = 30_000;
/// Milliseconds of a connection after which what waits has arrived: some replays, and a batch that waits for another.
const TIME_TO_ARRIVE: u64 = 40_000;
/// Milliseconds before a connection opens in which its row is written.
const HANDSHAKE: u64 = 500;
/// Milliseconds for which what is to be dropped waits behind others at most, as it is configured.
const DROP_HOLD: u64 = 30_000;

/// A broken promise: which, when, and how.
type Broken = (Promise, u64, String);

#[derive(Debug, Clone, Copy)]
struct Terms {
    expires_at: Option<u64>,
    drops: bool,
}

/// The endings of one user's notifications.
#[derive(Debug)]
pub(crate) struct Endings<'a> {
    own: &'a [&'a Event],
    /// End of the simulation.
    end: u64,
    terms: BTreeMap<u32, Terms>,
    accepted: BTreeMap<u32, u64>,
    /// Notifications whose end is known: recorded, or rows that the table deleted.
    ended: BTreeSet<u32>,
    /// Times at which connections opened and ended.
    open: BTreeMap<u32, (u64, u64)>,
}

impl<'a> Endings<'a> {
    /// Reads the events of a user.
    pub(crate) fn read(own: &'a [&'a Event], end: u64) -> Self {
        let (mut terms, mut accepted, mut ended) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut open: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for Event { at, kind, .. } in own {
            match kind {
                EventKind::Terms { number, expires_at, drops } => {
                    terms.insert(*number, Terms { expires_at: *expires_at, drops: *drops });
                }
                EventKind::Accepted { number, .. } | EventKind::Misplaced { number } => {
                    accepted.entry(*number).or_insert(*at);
                }
                EventKind::Discarded { number, .. } | EventKind::Reaped { number } => {
                    ended.insert(*number);
                }
                EventKind::Opened { connection, .. } => {
                    open.insert(*connection, (*at, end));
                }
                EventKind::Closed { connection } => {
                    open.entry(*connection).and_modify(|(_, closed)| *closed = *at);
                }
                _ => {}
            }
        }
        Self { own, end, terms, accepted, ended, open }
    }

    /// Returns true if a notification need not arrive.
    pub(crate) fn may_end(&self, number: u32) -> bool {
        let terms = self.terms.get(&number);
        terms.is_some_and(|terms| terms.drops || terms.expires_at.is_some_and(|at| at <= self.end))
    }

    /// Returns the first broken promise. `quiet` is true if nothing goes wrong for the user.
    pub(crate) fn check(&self, arrived: &BTreeSet<u32>, quiet: bool) -> Option<Broken> {
        let by_events = self.own.iter().find_map(|event| self.check_event(event, quiet));
        by_events.or_else(|| {
            let mut missing = self.terms.iter().filter(|(number, _)| quiet && !arrived.contains(number));
            missing.find_map(|(number, terms)| self.check_missing(*number, *terms))
        })
    }

    fn check_event(&self, Event { at, kind, .. }: &Event, quiet: bool) -> Option<Broken> {
        let terms = |number: &u32| self.terms.get(number);
        match kind {
            EventKind::Pushed { numbers, .. } => {
                let latest = at.saturating_sub(if quiet { PUSH } else { TROUBLED_PUSH });
                let is_late = |number: &&u32| {
                    terms(number)
                        .is_some_and(|terms| terms.expires_at < Some(latest) && terms.expires_at.is_some())
                };
                let number = numbers.iter().find(is_late)?;
                Some((Promise::NeverAfterExpiry, *at, format!("n{number} is pushed after its expiry")))
            }
            EventKind::Stored { number, expires_at } => {
                let waits = terms(number)?.drops && expires_at.is_none_or(|expires| expires > at + DROP_HOLD);
                waits.then(|| {
                    (Promise::DropsTheRight, *at, format!("n{number} is held, and is to be dropped"))
                })
            }
            EventKind::Discarded { number, outcome } => {
                let Some(Terms { expires_at, drops }) = terms(number) else {
                    return Some((Promise::DropsTheRight, *at, format!("n{number} ends as {outcome:?}")));
                };
                let is_early =
                    *outcome == HistoryOutcome::Expired && expires_at.is_none_or(|expires| expires > *at);
                if is_early && !drops {
                    return Some((
                        Promise::NotBeforeExpiry,
                        *at,
                        format!("n{number} ends before its expiry"),
                    ));
                }
                let is_wrong = *outcome == HistoryOutcome::Dropped && !drops;
                is_wrong.then(|| (Promise::DropsTheRight, *at, format!("n{number} is dropped")))
            }
            _ => None,
        }
    }

    /// Checks the end of a notification that has not arrived.
    fn check_missing(&self, number: u32, Terms { expires_at, drops }: Terms) -> Option<Broken> {
        let accepted = *self.accepted.get(&number)?;
        let ends = expires_at.unwrap_or(u64::MAX).min(self.end);
        let could_arrive = self.open.values().any(|(opened, closed)| {
            let from = if drops {
                // It does not wait for a connection.
                if opened + HANDSHAKE > accepted {
                    return false;
                }
                accepted
            } else {
                accepted.max(*opened)
            };
            ends.min(*closed) >= from + TIME_TO_ARRIVE
        });
        if could_arrive {
            return Some((
                Promise::NothingLost,
                accepted,
                format!("n{number} has not arrived over an open connection"),
            ));
        }
        let is_over = drops || expires_at.is_some_and(|at| at + PUSH <= self.end);
        (is_over && !self.ended.contains(&number))
            .then(|| (Promise::NothingLost, accepted, format!("n{number} has no end")))
    }
}
