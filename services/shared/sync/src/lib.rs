//! Locks that stay usable after a thread has panicked while holding them.
//!
//! A standard lock is poisoned by such a panic, and every later caller gets an error. In Tidings a panic ends
//! one task and the process goes on, so the data behind a lock must be valid between any two statements that
//! change it, and callers take the lock all the same: `mutex.lock().ignore_poison()`.
//!
//! This crate depends on the standard library alone, so that any crate can use it.

use std::sync::{LockResult, PoisonError};

/// Ignores the poison of a lock.
pub trait IgnorePoison {
    /// The guard, or the value, that the lock gives.
    type Guard;

    /// Returns the guard whether or not the lock is poisoned.
    ///
    /// Works on the results of `Mutex::lock`, `RwLock::read`, `RwLock::write`, `Condvar::wait`, their timed
    /// variants, and `into_inner`.
    fn ignore_poison(self) -> Self::Guard;
}

impl<G> IgnorePoison for LockResult<G> {
    type Guard = G;

    fn ignore_poison(self) -> G {
        self.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Mutex, RwLock};

    use super::*;

    #[test]
    fn poisoned_mutex_can_be_locked() {
        let mutex = Mutex::new(1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut guard = mutex.lock().ignore_poison();
            *guard = 2;
            panic!("while the lock is held");
        }));
        assert!(panicked.is_err() && mutex.is_poisoned());
        assert_eq!(*mutex.lock().ignore_poison(), 2);
        assert_eq!(mutex.into_inner().ignore_poison(), 2);
    }

    #[test]
    fn poisoned_rwlock_can_be_read_and_written() {
        let lock = RwLock::new(1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guard = lock.write().ignore_poison();
            panic!("while the lock is held");
        }));
        assert!(panicked.is_err() && lock.is_poisoned());
        *lock.write().ignore_poison() = 3;
        assert_eq!(*lock.read().ignore_poison(), 3);
    }
}
