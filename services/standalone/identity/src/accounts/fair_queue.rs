//! The order in which waiting passwords are hashed: a queue in lanes, so that nobody's crowd keeps others waiting.
//!
//! A pure state machine: [`FairQueue::enter`] adds a waiting job, [`FairQueue::start`] takes the next one for which a
//! slot is free, [`FairQueue::finish`] frees the slot. Operators come first. Then those who have logged in from their
//! address before and all others take turns, and within each of the two groups, accounts take turns. Each lane and each
//! group has a bound.

use std::collections::{HashMap, VecDeque};

/// The lane of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// An operator's change of an account.
    Operator,
    /// A login to this account from an address that has logged in to it before.
    Known(u64),
    /// Another login to this account, which need not exist.
    Account(u64),
}

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Most jobs that run at a time.
    pub(super) running: usize,
    /// Most operators' jobs that wait.
    pub(super) operators: usize,
    /// Most jobs that wait in a lane of another kind.
    pub(super) lane: usize,
    /// Most jobs that wait in all lanes of one kind.
    pub(super) group: usize,
}

/// Lanes of one kind that take turns.
#[derive(Debug)]
struct Group<T> {
    lanes: HashMap<u64, VecDeque<T>>,
    turns: VecDeque<u64>,
    waiting: usize,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), turns: VecDeque::new(), waiting: 0 }
    }
}

impl<T> Group<T> {
    fn enter(&mut self, account: u64, job: T, bounds: &Bounds) -> Result<(), Full> {
        let in_lane = self.lanes.get(&account).map_or(0, VecDeque::len);
        if in_lane >= bounds.lane || self.waiting >= bounds.group {
            return Err(Full { waiting: self.waiting });
        }
        let lane = self.lanes.entry(account).or_default();
        if lane.is_empty() {
            self.turns.push_back(account);
        }
        lane.push_back(job);
        self.waiting += 1;
        Ok(())
    }

    fn next(&mut self) -> Option<T> {
        let account = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&account)?;
        let job = lane.pop_front();
        if lane.is_empty() {
            self.lanes.remove(&account);
        } else {
            self.turns.push_back(account);
        }
        self.waiting -= usize::from(job.is_some());
        job
    }

    fn retain(&mut self, keep: &impl Fn(&T) -> bool) {
        self.lanes.retain(|_, lane| {
            lane.retain(keep);
            !lane.is_empty()
        });
        let lanes = &self.lanes;
        self.turns.retain(|account| lanes.contains_key(account));
        self.waiting = lanes.values().map(VecDeque::len).sum();
    }
}

/// A lane or its group is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// Number of jobs that wait in the group.
    pub(super) waiting: usize,
}

/// The queue.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    bounds: Bounds,
    running: usize,
    operators: VecDeque<T>,
    known: Group<T>,
    others: Group<T>,
    /// True if the next turn is that of the known.
    known_is_next: bool,
}

impl<T> FairQueue<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        let (known, others) = (Group::default(), Group::default());
        Self { bounds, running: 0, operators: VecDeque::new(), known, others, known_is_next: true }
    }

    /// Adds a waiting job. If there is no place, those that `is_waiting` no longer holds for make place first.
    pub(super) fn enter(&mut self, lane: Lane, job: T, is_waiting: impl Fn(&T) -> bool) -> Result<(), Full> {
        if self.has_no_place(lane) {
            self.operators.retain(&is_waiting);
            self.known.retain(&is_waiting);
            self.others.retain(&is_waiting);
        }
        match lane {
            Lane::Operator if self.operators.len() >= self.bounds.operators => {
                Err(Full { waiting: self.operators.len() })
            }
            Lane::Operator => {
                self.operators.push_back(job);
                Ok(())
            }
            Lane::Known(account) => self.known.enter(account, job, &self.bounds),
            Lane::Account(account) => self.others.enter(account, job, &self.bounds),
        }
    }

    fn has_no_place(&self, lane: Lane) -> bool {
        let is_full = |group: &Group<T>, account: u64| {
            group.waiting >= self.bounds.group
                || group.lanes.get(&account).is_some_and(|lane| lane.len() >= self.bounds.lane)
        };
        match lane {
            Lane::Operator => self.operators.len() >= self.bounds.operators,
            Lane::Known(account) => is_full(&self.known, account),
            Lane::Account(account) => is_full(&self.others, account),
        }
    }

    /// Takes the next job, if a slot is free. The caller must call [`FairQueue::finish`] when it is done.
    pub(super) fn start(&mut self) -> Option<T> {
        if self.running >= self.bounds.running {
            return None;
        }
        let job = self.operators.pop_front().or_else(|| {
            let (first, second) = if self.known_is_next {
                (&mut self.known, &mut self.others)
            } else {
                (&mut self.others, &mut self.known)
            };
            self.known_is_next = !self.known_is_next;
            first.next().or_else(|| second.next())
        })?;
        self.running += 1;
        Some(job)
    }

    /// Returns true if no job runs.
    pub(super) const fn is_idle(&self) -> bool {
        self.running == 0
    }

    /// Frees the slot of a job that is done.
    pub(super) fn finish(&mut self) {
        self.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { running: 1, operators: 2, lane: 3, group: 6 };

    fn enter(queue: &mut FairQueue<&'static str>, lane: Lane, job: &'static str) -> Result<(), Full> {
        queue.enter(lane, job, |_| true)
    }

    /// Runs all jobs, one after another.
    fn drain(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
        let mut order = Vec::new();
        while let Some(job) = queue.start() {
            order.push(job);
            queue.finish();
        }
        order
    }

    #[test]
    fn accounts_take_turns_after_operators() {
        let mut queue = FairQueue::new(BOUNDS);
        for job in ["a1", "a2", "a3"] {
            enter(&mut queue, Lane::Account(1), job).unwrap();
        }
        enter(&mut queue, Lane::Account(2), "b1").unwrap();
        enter(&mut queue, Lane::Operator, "op").unwrap();
        enter(&mut queue, Lane::Known(1), "k1").unwrap();
        enter(&mut queue, Lane::Known(1), "k2").unwrap();
        assert_eq!(drain(&mut queue), ["op", "k1", "a1", "k2", "b1", "a2", "a3"]);
    }

    #[test]
    fn full_lane_leaves_places_to_others() {
        let mut queue = FairQueue::new(BOUNDS);
        for _ in 0..3 {
            enter(&mut queue, Lane::Account(1), "a").unwrap();
        }
        assert_eq!(enter(&mut queue, Lane::Account(1), "a"), Err(Full { waiting: 3 }));
        for account in 2..5 {
            enter(&mut queue, Lane::Account(account), "b").unwrap();
        }
        assert_eq!(enter(&mut queue, Lane::Account(5), "c"), Err(Full { waiting: 6 }));
        // Neither the known nor operators are kept out by a crowd of others.
        enter(&mut queue, Lane::Known(1), "k").unwrap();
        enter(&mut queue, Lane::Operator, "op").unwrap();
        enter(&mut queue, Lane::Operator, "op").unwrap();
        assert!(enter(&mut queue, Lane::Operator, "op").is_err());
    }

    #[test]
    fn jobs_that_nobody_waits_for_make_place() {
        let mut queue = FairQueue::new(BOUNDS);
        for job in ["gone", "gone", "there"] {
            enter(&mut queue, Lane::Account(1), job).unwrap();
        }
        queue.enter(Lane::Account(1), "new", |job| *job != "gone").unwrap();
        assert_eq!(drain(&mut queue), ["there", "new"]);
    }

    #[test]
    fn no_more_run_than_there_are_slots() {
        let mut queue = FairQueue::new(Bounds { running: 2, ..BOUNDS });
        for account in 0..3 {
            enter(&mut queue, Lane::Account(account), "a").unwrap();
        }
        assert!(queue.start().is_some() && queue.start().is_some());
        assert_eq!(queue.start(), None);
        queue.finish();
        assert!(queue.start().is_some());
    }
}
