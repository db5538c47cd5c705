//! Bounds of the bodies that are held at a time: those of senders who are not known yet, and those of keys.
//!
//! A body of an unknown sender counts from its first byte until its sender is known or refused, one of a key until its
//! request is answered. All bodies of a kind together have one bound, and those of one owner at most a third of
//! what is free. So one owner has a quarter of the bound, `n` owners at their worst leave at least `(3/4)^n` of it, and
//! there is always room for the next. This is the dynamic threshold, with α = 1/3, of Choudhury and Hahne, "Dynamic queue
//! length thresholds for shared-memory packet switches", IEEE/ACM Transactions on Networking 6(2), 1998.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use shared_sync::IgnorePoison as _;

/// What is free must be as many times what one owner has.
const OWNERS_PART: usize = 3;

/// Bytes of the bodies of all owners. Clones share them.
#[derive(Debug)]
pub(super) struct BodyRoom<O>(Arc<Shared<O>>);

#[derive(Debug)]
struct Shared<O> {
    /// Maximum number of bytes of all owners together.
    most: usize,
    taken: Mutex<Taken<O>>,
}

#[derive(Debug)]
struct Taken<O> {
    bytes: usize,
    /// Bytes by owner; only of those that have some.
    by_owner: HashMap<O, usize>,
}

/// The bytes of one body. Dropping it gives them back.
#[derive(Debug)]
pub(super) struct BodyBytes<O: Clone + Eq + Hash> {
    shared: Arc<Shared<O>>,
    owner: O,
    bytes: usize,
}

/// The owner has its part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<O: Clone + Eq + Hash> BodyRoom<O> {
    pub(super) fn new(most: usize) -> Self {
        let taken = Taken { bytes: 0, by_owner: HashMap::new() };
        Self(Arc::new(Shared { most, taken: Mutex::new(taken) }))
    }

    /// Returns the most bytes that one owner may have when there is no other.
    pub(super) fn most_of_one(&self) -> usize {
        self.0.most / (OWNERS_PART + 1)
    }

    /// Begins a body without bytes.
    pub(super) fn begin(&self, owner: O) -> BodyBytes<O> {
        BodyBytes { shared: Arc::clone(&self.0), owner, bytes: 0 }
    }
}

impl<O: Clone + Eq + Hash> BodyBytes<O> {
    /// Adds bytes that arrived.
    ///
    /// # Errors
    /// [`Full`] if there is no room for them. They don't count then.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), Full> {
        let most = self.shared.most;
        let mut taken = self.shared.taken.lock().ignore_poison();
        let own = taken.by_owner.get(&self.owner).copied().unwrap_or(0);
        let all = taken.bytes + bytes;
        if OWNERS_PART * (own + bytes) > most.saturating_sub(all) {
            return Err(Full);
        }
        taken.bytes = all;
        taken.by_owner.insert(self.owner.clone(), own + bytes);
        self.bytes += bytes;
        Ok(())
    }
}

impl<O: Clone + Eq + Hash> Drop for BodyBytes<O> {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut taken = self.shared.taken.lock().ignore_poison();
        taken.bytes -= self.bytes;
        if let Some(own) = taken.by_owner.get_mut(&self.owner) {
            *own -= self.bytes;
            if *own == 0 {
                taken.by_owner.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_gets_a_quarter_of_the_bound() {
        let bodies = BodyRoom::new(400);
        let (mut first, mut second) = (bodies.begin(1), bodies.begin(1));
        assert_eq!(first.add(60), Ok(()));
        assert_eq!(second.add(40), Ok(()));
        assert_eq!(second.add(1), Err(Full));
        drop(first);
        assert_eq!(second.add(60), Ok(()));
        assert_eq!(bodies.most_of_one(), 100);
    }

    #[test]
    fn any_number_of_owners_leaves_a_part_to_the_next() {
        let bodies = BodyRoom::new(1_000_000);
        let mut held = Vec::new();
        let mut free = 1_000_000;
        for owner in 1..=20 {
            let mut body = bodies.begin(owner);
            while body.add(1) == Ok(()) {}
            assert_eq!(body.bytes, free / 4);
            free -= body.bytes;
            held.push(body);
            // Whoever came before may not take what is left either.
            assert!(held.iter_mut().all(|body| body.add(1) == Err(Full)));
        }
    }

    #[test]
    fn owners_that_come_together_have_equal_parts() {
        let bodies = BodyRoom::new(600);
        let mut together: Vec<_> = (0..3).map(|owner| bodies.begin(owner)).collect();
        for _ in 0..400 {
            for body in &mut together {
                let _ = body.add(1);
            }
        }
        assert!(together.iter().all(|body| body.bytes == 100), "{together:?}");
    }

    #[test]
    fn ended_bodies_leave_nothing() {
        let bodies = BodyRoom::new(100);
        let mut first = bodies.begin(1);
        first.add(10).unwrap();
        let mut second = bodies.begin(1);
        second.add(10).unwrap();
        drop((first, second, bodies.begin(1)));
        let taken = bodies.0.taken.lock().unwrap();
        assert_eq!((taken.bytes, taken.by_owner.len()), (0, 0));
    }
}
