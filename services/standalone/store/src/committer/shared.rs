//! The committer between its thread and the threads of the runtime.
//!
//! A request that comes alone takes the *short way*: the thread that brings it commits it. Otherwise it would wake the
//! committer's thread, wait for it, and be woken by it, which takes longer than all else but the sync. Whoever comes
//! while another commits leaves the request in the inbox for the committer's thread, which commits all that waits at
//! once. So at most one thread of the runtime waits for the disk at a time, and only while another one serves
//! everything else, and the disk is quick.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared_ports::Clock;
use shared_sync::IgnorePoison as _;
use tokio::time::Instant;

use super::{AbandonOnDrop, Committer};
use crate::core::Core;
use crate::disk_reads::has_other_thread;
use crate::inbox::{Accept, Work};

/// Most notifications of a request on the short way. Larger ones take the processor for long.
const MOST_ITEMS: usize = 32;

/// Most bytes of them.
const MOST_BYTES: usize = 64 * 1024;

/// The committer, which one thread at a time has. Empty once it has ended, and in a store without threads.
pub(crate) struct SharedCommitter<K>(Mutex<Option<Committer<K>>>);

impl<K: Clock> SharedCommitter<K> {
    /// Shares a committer; `None` for a store without threads.
    pub(crate) const fn new(committer: Option<Committer<K>>) -> Self {
        Self(Mutex::new(committer))
    }

    /// Runs the committer's thread until the inbox is closed and empty, then closes the engine.
    pub(crate) fn run(&self, core: &Arc<Core<K>>) {
        let abandon = AbandonOnDrop(Arc::clone(core));
        while let Some(patience) = self.with(|committer| committer.patience()) {
            core.inbox.wait_here(patience);
            if self.with(Committer::step) != Some(true) {
                break;
            }
        }
        // A thread that panicked with the committer leaves it in an unknown state.
        let Ok(mut shared) = self.0.lock() else { return };
        let Some(committer) = shared.take() else { return };
        drop(shared);
        committer.finish(abandon);
    }

    /// Lends the committer. `None` if there is none, or a thread has panicked with it.
    fn with<T>(&self, act: impl FnOnce(&mut Committer<K>) -> T) -> Option<T> {
        self.0.lock().ok()?.as_mut().map(act)
    }

    /// Commits a request on this thread, or returns it for the inbox.
    pub(crate) fn commit_here(&self, accept: Accept) -> Result<(), Accept> {
        let bytes = || accept.items.iter().map(|item| item.value.len()).sum::<usize>();
        if accept.items.len() > MOST_ITEMS || bytes() > MOST_BYTES || !has_other_thread() {
            return Err(accept);
        }
        // Held by another thread, or poisoned.
        let Ok(mut shared) = self.0.try_lock() else { return Err(accept) };
        match shared.as_mut() {
            Some(committer) => committer.commit_alone(accept),
            None => Err(accept),
        }
    }
}

impl<K: Clock> Committer<K> {
    /// Commits a request with the deletions that wait, if nothing else waits and the disk is quick. What else is to be
    /// done is left to the committer's thread.
    fn commit_alone(&mut self, accept: Accept) -> Result<(), Accept> {
        if self.broken.is_some() || self.is_slow {
            return Err(accept);
        }
        let Work { accepts, deletes, completed, .. } = self.core.inbox.take_alone(accept)?;
        *self.core.writing_since.lock().ignore_poison() = Some(Instant::now());
        self.note_removals(deletes, completed);
        self.commit(accepts);
        *self.core.writing_since.lock().ignore_poison() = None;
        let is_behind = self.broken.is_none() && self.next_to_move_out().is_some();
        self.core.inbox.look_within(if is_behind { Duration::ZERO } else { self.patience() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::UserId;
    use tokio::sync::oneshot;
    use verification_conformance::ManualClock;

    use super::super::super::settings::{Origin, StorageSettings};
    use super::super::super::{Accepted, Store, prepare};
    use super::*;
    use crate::error::AcceptError;

    type Answer = oneshot::Receiver<Result<Vec<Accepted>, AcceptError>>;

    fn store() -> (tempfile::TempDir, Store<ManualClock>) {
        let directory = tempfile::tempdir().unwrap();
        let settings = StorageSettings { reserve_bytes: 0, ..StorageSettings::default() };
        let store = Store::open(directory.path(), settings, ManualClock::default()).unwrap();
        (directory, store)
    }

    async fn request(store: &Store<ManualClock>, count: u64) -> (Accept, Answer) {
        let user = UserId::new("alice").unwrap();
        let notification = |number| verification_conformance::notification(&user, number);
        let items = (0..count).map(|n| prepare(&mut Vec::new(), notification(n), false)).collect();
        let room = Arc::clone(&store.core().waiting).acquire_many_owned(1).await.unwrap();
        let (answer, accepted) = oneshot::channel();
        (Accept { origin: Origin::Producer, items, answer, room }, accepted)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn lone_request_is_committed_by_its_own_thread() {
        let (_directory, store) = store();
        let shared = &store.handle.committer;
        let (accept, mut answer) = request(&store, 1).await;
        assert!(shared.commit_here(accept).is_ok());
        // The answer is there, and the notification is queued.
        assert_eq!(answer.try_recv().unwrap().unwrap().len(), 1);
        assert!(store.try_receive().is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn other_requests_are_left_to_the_committers_thread() {
        let (_directory, store) = store();
        let shared = &store.handle.committer;
        // Too large.
        let (accept, _answer) = request(&store, MOST_ITEMS as u64 + 1).await;
        assert!(shared.commit_here(accept).is_err());
        // The disk was slow.
        shared.with(|committer| committer.is_slow = true).unwrap();
        let (accept, _answer) = request(&store, 1).await;
        assert!(shared.commit_here(accept).is_err());
        shared.with(|committer| committer.is_slow = false).unwrap();
        // Another thread has the committer, and then another request waits.
        let ((first, _first), (second, _second)) = (request(&store, 1).await, request(&store, 1).await);
        let held = shared.0.lock().unwrap();
        let Err(second) = shared.commit_here(second) else { panic!("the committer is lent twice") };
        assert!(store.core().inbox.accept(first));
        assert!(store.core().inbox.take_alone(second).is_err());
        drop(held);
    }

    #[tokio::test]
    async fn only_thread_of_a_runtime_does_not_wait_for_the_disk() {
        let (_directory, store) = store();
        let (accept, _answer) = request(&store, 1).await;
        assert!(store.handle.committer.commit_here(accept).is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn panic_of_a_request_ends_the_store_and_no_wait() {
        let (_directory, store) = store();
        let shared = Arc::clone(&store.handle.committer);
        let panicked = std::thread::spawn(move || {
            let _shared = shared.0.lock().unwrap();
            panic!("amid a commit");
        });
        assert!(panicked.join().is_err());
        let user = UserId::new("alice").unwrap();
        let after = store.accept_from_clients(vec![verification_conformance::notification(&user, 1)]).await;
        assert!(after.is_err(), "{after:?}");
        store.close();
    }
}
