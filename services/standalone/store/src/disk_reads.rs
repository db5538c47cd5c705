//! Reads of the disk.
//!
//! A read that memory can't answer may take as long as the disk wants. On a thread for blocking work it holds up its own
//! user alone, but the way there and back costs as much as a page from the operating system's cache, which is where most
//! pages come from. So while reads are quick they are made on the thread that wants them, one at a time, where the
//! runtime has another thread for everything else. `read_threads.rs` decides which way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use contract_notifications_v1::UserId;
use shared_ports::Clock;
use tokio::runtime::Handle;

use super::codec::Seq;
use super::core::Core;
use super::error::StoreError;

/// Returns true if the runtime has a thread for other work while one of its threads waits for the disk.
pub(super) fn has_other_thread() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.metrics().num_workers() > 1)
}

impl<K: Clock + 'static> Core<K> {
    /// Runs `read`, on this thread or on one for blocking work, or always here if the store is stepped: a simulation
    /// decides about every step. Dropping the future does not stop a read that has begun.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.is_stepped {
            return read(self);
        }
        if !self.read_threads.is_cautious(Instant::now()) && has_other_thread() {
            let _permit = self.read_threads.here.acquire().await;
            // The read before may have been slow.
            if !self.read_threads.is_cautious(Instant::now()) {
                return self.read_here(read);
            }
        }
        let permit = Arc::clone(&self.read_threads.elsewhere).acquire_owned().await;
        let core = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            core.read_here(read)
        });
        match reading.await {
            Ok(read) => read,
            // The read panicked, or the runtime is being shut down. A panic here would leave the user waiting for good.
            Err(error) => {
                tracing::error!(%error, "a read of the disk did not end");
                Err(StoreError::Reopening)
            }
        }
    }

    fn read_here<T>(&self, read: impl FnOnce(&Self) -> T) -> T {
        let start = Instant::now();
        self.delay_read();
        let read = read(self);
        self.read_threads.note(start, Instant::now());
        read
    }

    /// Reads queued notifications of a user back from disk, in a task of its own. The user waits meanwhile and becomes
    /// ready afterwards. Returns false if there is no runtime for the task, or the store is stepped.
    pub(super) fn warm_in_task(self: &Arc<Self>, user: &UserId, first: Seq, last: Seq) -> bool {
        let Some(runtime) = Handle::try_current().ok().filter(|_| !self.is_stepped) else { return false };
        self.with_user(user, |state| (state.ready, state.waiting) = (false, true));
        // The store is not at rest until the user is ready.
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let (core, user) = (Arc::clone(self), user.clone());
        runtime.spawn(async move {
            let of = user.clone();
            match core.read(move |core| core.warm(&of, first, last)).await {
                Ok(()) => core.with_user_woken(&user, |state| state.waiting = false),
                Err(error) => core.warm_again_later(user, &error),
            }
            core.in_flight.fetch_sub(1, Ordering::Release);
        });
        true
    }

    #[cfg(feature = "fault-injection")]
    fn delay_read(&self) {
        let delay = self.read_delay.load(Ordering::Relaxed);
        std::thread::sleep(std::time::Duration::from_millis(delay));
    }

    #[cfg(not(feature = "fault-injection"))]
    #[expect(clippy::unused_self, reason = "the signature with faults")]
    const fn delay_read(&self) {}
}
