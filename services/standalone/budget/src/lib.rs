//! Budgets: how much a subject may use in a time.
//!
//! A [`Budget`] is a token bucket without a clock and without a lock: the caller passes the moment, and the owner
//! decides about sharing. [`Budgets`] has one for each of many subjects, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use shared_ports::Moment;

/// An amount for each period of time. Neither is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Allowance {
    most: u64,
    per: Duration,
}

/// An allowance without an amount or without a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an allowance must be at least 1 in at least 1 ms")]
pub struct InvalidAllowance;

/// The form of an allowance in JSON.
#[derive(Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "an allowance such as {\"most\": 100, \"perMs\": 60000}"
)]
struct Written {
    most: u64,
    per_ms: u64,
}

impl Allowance {
    /// Allows `most` in each `per`.
    ///
    /// # Errors
    /// [`InvalidAllowance`] if `most` is zero or `per` is shorter than a millisecond.
    pub const fn new(most: u64, per: Duration) -> Result<Self, InvalidAllowance> {
        if most == 0 || per.as_millis() == 0 { Err(InvalidAllowance) } else { Ok(Self { most, per }) }
    }

    /// Returns the amount.
    pub const fn most(&self) -> u64 {
        self.most
    }

    /// Returns the period.
    pub const fn per(&self) -> Duration {
        self.per
    }

    #[expect(clippy::cast_precision_loss, reason = "a level is approximate above 2^53")]
    fn per_milli(&self) -> f64 {
        self.most as f64 / self.per.as_millis() as f64
    }
}

impl Serialize for Allowance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let per_ms = u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX);
        Written { most: self.most, per_ms }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Allowance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { most, per_ms } = Written::deserialize(deserializer)?;
        Self::new(most, Duration::from_millis(per_ms)).map_err(de::Error::custom)
    }
}

/// The part of an allowance that is left. It fills evenly up to the whole allowance.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    level: f64,
    filled_at: Moment,
}

impl Budget {
    /// Returns a full budget.
    #[expect(clippy::cast_precision_loss, reason = "a level is approximate above 2^53")]
    pub const fn full(allowance: Allowance, now: Moment) -> Self {
        Self { level: allowance.most as f64, filled_at: now }
    }

    /// Takes `amount`. An amount larger than the allowance takes all of a full budget and leaves a debt, so that it
    /// is possible at all.
    ///
    /// # Errors
    /// The time after which the amount can be taken, at least 1 ms. Nothing is taken then.
    pub fn take(&mut self, allowance: Allowance, amount: u64, now: Moment) -> Result<(), Duration> {
        self.fill(allowance, now);
        #[expect(clippy::cast_precision_loss, reason = "a level is approximate above 2^53")]
        let (amount, needed) = (amount as f64, amount.min(allowance.most) as f64);
        if self.level >= needed {
            self.level -= amount;
            return Ok(());
        }
        let millis = ((needed - self.level) / allowance.per_milli()).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and saturates"
        )]
        let wait = Duration::from_millis((millis as u64).max(1));
        Err(wait)
    }

    /// Returns `amount` that was taken.
    #[expect(clippy::cast_precision_loss, reason = "a level is approximate above 2^53")]
    pub fn give_back(&mut self, allowance: Allowance, amount: u64) {
        self.level = (self.level + amount as f64).min(allowance.most as f64);
    }

    /// Returns true if the budget is full at `now`, so that it need not be remembered.
    #[expect(clippy::cast_precision_loss, reason = "a level is approximate above 2^53")]
    pub fn is_full(&mut self, allowance: Allowance, now: Moment) -> bool {
        self.fill(allowance, now);
        self.level >= allowance.most as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "a level is approximate above 2^53")]
    fn fill(&mut self, allowance: Allowance, now: Moment) {
        let passed = now.since(self.filled_at).as_millis() as f64;
        self.level = (self.level + passed * allowance.per_milli()).min(allowance.most as f64);
        self.filled_at = now.max(self.filled_at);
    }
}

/// Number of budgets from which on full ones are looked for.
const FIRST_PRUNE: usize = 1_024;

/// Shortest time between two looks at all budgets while memory is full.
const PRUNE_INTERVAL: Duration = Duration::from_secs(1);

/// A budget of the same allowance for each of many subjects.
///
/// Only budgets that are not full are remembered, at most a number of them. Subjects beyond that number share one
/// budget.
#[derive(Debug)]
pub struct Budgets<K> {
    allowance: Allowance,
    by_subject: HashMap<K, Budget>,
    others: Option<Budget>,
    most_subjects: usize,
    prune_at: usize,
    pruned_at: Option<Moment>,
}

impl<K: Hash + Eq> Budgets<K> {
    /// Returns full budgets for all subjects.
    pub fn new(allowance: Allowance, most_subjects: usize) -> Self {
        let prune_at = FIRST_PRUNE.min(most_subjects.max(1));
        Self { allowance, by_subject: HashMap::new(), others: None, most_subjects, prune_at, pruned_at: None }
    }

    /// Returns the allowance of each subject.
    pub const fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Takes `amount` from the budget of a subject.
    ///
    /// # Errors
    /// The time after which the amount can be taken. Nothing is taken then.
    pub fn take(&mut self, subject: K, amount: u64, now: Moment) -> Result<(), Duration> {
        let allowance = self.allowance;
        self.budget(subject, now).take(allowance, amount, now)
    }

    /// Returns `amount` that was taken from the budget of a subject.
    pub fn give_back(&mut self, subject: K, amount: u64, now: Moment) {
        let allowance = self.allowance;
        self.budget(subject, now).give_back(allowance, amount);
    }

    /// Returns the number of budgets in memory.
    pub fn len(&self) -> usize {
        self.by_subject.len()
    }

    /// Returns true if all budgets were full when they were last used.
    pub fn is_empty(&self) -> bool {
        self.by_subject.is_empty()
    }

    /// Forgets full budgets. While there are as many as there may be, at most once in [`PRUNE_INTERVAL`], because it
    /// looks at all.
    fn prune(&mut self, now: Moment) {
        let is_at_the_limit = self.by_subject.len() >= self.most_subjects;
        if is_at_the_limit && self.pruned_at.is_some_and(|at| now.since(at) < PRUNE_INTERVAL) {
            return;
        }
        let allowance = self.allowance;
        self.by_subject.retain(|_, budget| !budget.is_full(allowance, now));
        self.pruned_at = Some(now);
        self.prune_at = (2 * self.by_subject.len()).max(FIRST_PRUNE).min(self.most_subjects.max(1));
    }

    fn budget(&mut self, subject: K, now: Moment) -> &mut Budget {
        let allowance = self.allowance;
        if self.by_subject.len() >= self.prune_at && !self.by_subject.contains_key(&subject) {
            self.prune(now);
        }
        if self.by_subject.len() >= self.most_subjects && !self.by_subject.contains_key(&subject) {
            return self.others.get_or_insert_with(|| Budget::full(allowance, now));
        }
        self.by_subject.entry(subject).or_insert_with(|| Budget::full(allowance, now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowance(most: u64, millis: u64) -> Allowance {
        Allowance::new(most, Duration::from_millis(millis)).unwrap()
    }

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn budget_fills_evenly_up_to_its_allowance() {
        let ten = allowance(10, 1_000);
        let mut budget = Budget::full(ten, at(0));
        assert_eq!((0..20).filter(|_| budget.take(ten, 1, at(0)).is_ok()).count(), 10);
        assert_eq!(budget.take(ten, 1, at(50)), Err(Duration::from_millis(50)));
        assert!(budget.take(ten, 1, at(100)).is_ok());
        assert!(budget.is_full(ten, at(10_000)));
        assert_eq!((0..20).filter(|_| budget.take(ten, 1, at(10_000)).is_ok()).count(), 10);
    }

    #[test]
    fn amount_beyond_the_allowance_needs_a_full_budget() {
        let ten = allowance(10, 1_000);
        let mut budget = Budget::full(ten, at(0));
        assert!(budget.take(ten, 25, at(0)).is_ok());
        assert_eq!(budget.take(ten, 1, at(0)), Err(Duration::from_millis(1_600)));
        assert_eq!(budget.take(ten, 25, at(1_500)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn returned_amount_can_be_taken_again() {
        let one = allowance(1, 1_000);
        let mut budgets = Budgets::new(one, 10);
        assert!(budgets.take("a", 1, at(0)).is_ok() && budgets.take("a", 1, at(0)).is_err());
        budgets.give_back("a", 1, at(0));
        assert!(budgets.take("a", 1, at(0)).is_ok());
    }

    #[test]
    fn subjects_do_not_share_until_memory_is_full() {
        let mut budgets = Budgets::new(allowance(1, 1_000), 2);
        for subject in ["a", "b", "c"] {
            assert!(budgets.take(subject, 1, at(0)).is_ok(), "{subject}");
        }
        // The third shares with the fourth.
        assert!(budgets.take("d", 1, at(0)).is_err());
        assert_eq!(budgets.len(), 2);
        // Full budgets make place.
        assert!(budgets.take("e", 1, at(1_000)).is_ok());
        assert_eq!(budgets.len(), 1);
    }

    #[test]
    fn allowance_is_an_amount_and_a_period() {
        let read = |text: &str| serde_json::from_str::<Allowance>(text);
        assert_eq!(read(r#"{"most":5,"perMs":1000}"#).unwrap(), allowance(5, 1_000));
        assert_eq!(serde_json::to_string(&allowance(5, 1_000)).unwrap(), r#"{"most":5,"perMs":1000}"#);
        for wrong in [r#"{"most":0,"perMs":1000}"#, r#"{"most":5,"perMs":0}"#, r#"{"most":5}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_period_has_more_than_twice_the_allowance(
            takes in prop::collection::vec((0u64..50, 1u64..5), 1..200),
        ) {
            let ten = allowance(10, 100);
            let mut budget = Budget::full(ten, at(0));
            let (mut now, mut taken) = (0, Vec::new());
            for (passed, amount) in takes {
                now += passed;
                if budget.take(ten, amount, at(now)).is_ok() {
                    taken.push((now, amount));
                }
            }
            for (start, _) in &taken {
                let within: u64 =
                    taken.iter().filter(|(at, _)| (*start..start + 100).contains(at)).map(|(_, n)| n).sum();
                prop_assert!(within <= 20, "{within}");
            }
        }

        #[test]
        fn waiting_as_long_as_told_suffices(amount in 1u64..30, debt in 0u64..40) {
            let ten = allowance(10, 70);
            let mut budget = Budget::full(ten, at(0));
            let _ = budget.take(ten, debt, at(0));
            if let Err(wait) = budget.take(ten, amount, at(0)) {
                let now = at(0).plus(wait);
                prop_assert!(budget.take(ten, amount, now).is_ok());
            }
        }
    }
}
