//! Argon2id hashing on threads for blocking work, in the order of a fair queue.

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::{Params, password_hash};
use shared_sync::IgnorePoison as _;
use tokio::sync::oneshot;

use super::argon2id::{self, Memory};
use super::fair_queue::{Bounds, FairQueue, Full, Lane};
use super::{AccountError, Password};

/// OWASP's minimum: 19 MiB of memory, two iterations, one lane
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>).
const MEMORY_KIB: u32 = 19 * 1024;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// The hash to check if there is no such user. It takes as long as a real hash, and no password matches it.
const NO_USER: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Bounds of the queue: about two seconds of work for one core in each of its two groups.
const BOUNDS: Bounds = Bounds { running: 1, operators: 16, lane: 8, group: 64 };

/// Time that one hash takes, for the advice when to come back.
const TIME_OF_A_HASH: Duration = Duration::from_millis(40);

/// A right to hash. Dropping it gives the slot to the next that waits.
struct Slot(Option<Arc<Queue>>);

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.lock().finish();
            queue.start();
            if queue.lock().is_idle() {
                queue.memories().truncate(1);
            }
        }
    }
}

/// The queue of those that wait for a slot. Its locks are held for single operations, never both.
struct Queue {
    waiting: Mutex<FairQueue<oneshot::Sender<Slot>>>,
    /// Memory of hashes that are done, for the next: at most one for each slot, and one while nothing is hashed.
    memories: Mutex<Vec<Memory>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, FairQueue<oneshot::Sender<Slot>>> {
        self.waiting.lock().ignore_poison()
    }

    fn memories(&self) -> MutexGuard<'_, Vec<Memory>> {
        self.memories.lock().ignore_poison()
    }

    /// Gives free slots to those whose turn it is.
    fn start(self: &Arc<Self>) {
        loop {
            let Some(waiting) = self.lock().start() else { return };
            if let Err(mut slot) = waiting.send(Slot(Some(Arc::clone(self)))) {
                // Its client has gone. The slot is freed here and not by its drop, which would call this again.
                slot.0 = None;
                self.lock().finish();
            }
        }
    }
}

pub(super) struct Hasher {
    queue: Arc<Queue>,
    params: Params,
}

impl Default for Hasher {
    /// Returns a hasher with OWASP's parameters, on all cores but one.
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None).unwrap_or(Params::DEFAULT);
        Self::new(params, Bounds { running: cores.saturating_sub(1).max(1), ..BOUNDS })
    }
}

impl Hasher {
    pub(super) fn new(params: Params, bounds: Bounds) -> Self {
        let queue = Queue { waiting: Mutex::new(FairQueue::new(bounds)), memories: Mutex::default() };
        Self { queue: Arc::new(queue), params }
    }

    /// Returns a new hash of `password` as a PHC string.
    pub(super) async fn hash(&self, password: Password, lane: Lane) -> Result<String, AccountError> {
        let params = self.params.clone();
        let hash = move |memory: &mut Memory| argon2id::hash(password.0.as_bytes(), &params, memory);
        self.run(lane, hash).await?.map_err(|_| AccountError::Hash)
    }

    /// Returns true if `password` matches `hash`. Without a hash, returns false after the same time.
    pub(super) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
        lane: Lane,
    ) -> Result<bool, AccountError> {
        let verify = move |memory: &mut Memory| {
            let matches =
                argon2id::verify(password.0.as_bytes(), hash.as_deref().unwrap_or(NO_USER), memory)?;
            Ok::<_, password_hash::Error>(matches && hash.is_some())
        };
        self.run(lane, verify).await?.map_err(|_| AccountError::Hash)
    }

    /// Runs `work` on a thread for blocking work when it is its turn.
    ///
    /// Started work counts towards the limits until it is done, even if the caller has been cancelled. A caller that
    /// is cancelled before gives up its place.
    ///
    /// # Errors
    /// [`AccountError::Busy`] if the lane is full.
    async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, AccountError> {
        let (sender, turn) = oneshot::channel();
        let entered = self.queue.lock().enter(lane, sender, |waiting| !waiting.is_closed());
        entered.map_err(|Full { waiting }| {
            metrics::counter!("tidings_full_tables_total", "table" => "password-hashes").increment(1);
            let work = TIME_OF_A_HASH.saturating_mul(u32::try_from(waiting).unwrap_or(u32::MAX));
            AccountError::Busy { wait: work.max(Duration::from_secs(1)) }
        })?;
        self.queue.start();
        // The queue never drops a place without giving it a slot.
        let slot = turn.await.map_err(|_| AccountError::Hash)?;
        let work = move || {
            let Some(queue) = slot.0.clone() else { return Err(AccountError::Hash) };
            let mut memory = queue.memories().pop().unwrap_or_default();
            let result = work(&mut memory);
            queue.memories().push(memory);
            drop(slot);
            Ok(result)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| AccountError::Hash)?
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::Poll;

    use argon2::password_hash::phc::PasswordHash;

    use super::*;

    fn weak(running: usize, lane: usize) -> Hasher {
        let bounds = Bounds { running, operators: lane, lane, group: lane };
        Hasher::new(Params::new(Params::MIN_M_COST, 1, 1, None).unwrap(), bounds)
    }

    const LANE: Lane = Lane::Account(1);

    #[tokio::test]
    async fn all_hashes_use_owasp_parameters() {
        let password = Password::new("correct horse".to_owned()).unwrap();
        let hash = Hasher::default().hash(password.clone(), LANE).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(Hasher::default().verify(password.clone(), Some(hash.clone()), LANE).await.unwrap());
        assert!(!Hasher::default().verify(password, None, LANE).await.unwrap());

        let (real, no_user) = (PasswordHash::new(&hash).unwrap(), PasswordHash::new(NO_USER).unwrap());
        assert_eq!(
            (real.algorithm, real.version, &real.params),
            (no_user.algorithm, no_user.version, &no_user.params)
        );
        assert_eq!(real.salt.unwrap().len(), no_user.salt.unwrap().len());
        assert_eq!(real.hash.unwrap().len(), no_user.hash.unwrap().len());
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_differ() {
        let password = Password::new("correct horse".to_owned()).unwrap();
        let hasher = weak(9, 9);
        assert_ne!(
            hasher.hash(password.clone(), LANE).await.unwrap(),
            hasher.hash(password, LANE).await.unwrap()
        );
    }

    #[tokio::test]
    async fn malformed_hash_is_an_error() {
        let password = Password::new("correct horse".to_owned()).unwrap();
        for broken in ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$AAAA"] {
            let verdict = weak(9, 9).verify(password.clone(), Some(broken.to_owned()), LANE).await;
            assert!(matches!(verdict, Err(AccountError::Hash)), "{broken}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrency_is_limited() {
        let hasher = Arc::new(weak(2, 100));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let all: Vec<_> = (0..100)
            .map(|_| {
                let (hasher, running, most) = (Arc::clone(&hasher), Arc::clone(&running), Arc::clone(&most));
                let work = move |_: &mut Memory| {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                };
                tokio::spawn(async move { hasher.run(LANE, work).await.unwrap() })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
    }

    /// Starts work that ends when the returned sender is used, and waits until it has begun.
    async fn start(hasher: &Arc<Hasher>) -> (tokio::task::JoinHandle<()>, mpsc::Sender<()>) {
        let (begun, has_begun) = oneshot::channel();
        let (finish, may_finish) = mpsc::channel::<()>();
        let work = move |_: &mut Memory| {
            let _ = begun.send(());
            let _ = may_finish.recv();
        };
        let hasher = Arc::clone(hasher);
        let running = tokio::spawn(async move { hasher.run(LANE, work).await.unwrap() });
        has_begun.await.unwrap();
        (running, finish)
    }

    #[tokio::test]
    async fn cancelled_work_counts_until_it_is_done() {
        let hasher = Arc::new(weak(1, 1));
        let (first, finish) = start(&hasher).await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let mut second = Box::pin(hasher.run(LANE, |_| ()));
        assert!(poll_once(&mut second).await.is_pending());
        assert!(matches!(hasher.run(LANE, |_| ()).await, Err(AccountError::Busy { .. })));
        finish.send(()).unwrap();
        second.await.unwrap();
    }

    #[tokio::test]
    async fn place_of_a_cancelled_caller_is_free() {
        let hasher = Arc::new(weak(1, 1));
        let (first, finish) = start(&hasher).await;
        let mut gone = Box::pin(hasher.run(LANE, |_| panic!("nobody waits for it")));
        assert!(poll_once(&mut gone).await.is_pending());
        drop(gone);
        let mut second = Box::pin(hasher.run(LANE, |_| 7));
        assert!(poll_once(&mut second).await.is_pending());
        finish.send(()).unwrap();
        assert_eq!(second.await.unwrap(), 7);
        first.await.unwrap();
        // No slot is lost by callers that go away.
        assert_eq!(hasher.run(LANE, |_| 8).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn memory_is_used_again() {
        let password = Password::new("correct horse".to_owned()).unwrap();
        let hasher = Arc::new(weak(3, 100));
        let all: Vec<_> = (0..30)
            .map(|_| {
                let (hasher, password) = (Arc::clone(&hasher), password.clone());
                tokio::spawn(async move { hasher.hash(password, LANE).await.unwrap() })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        let blocks: Vec<_> = hasher.queue.memories().iter().map(Vec::len).collect();
        assert_eq!(blocks, [hasher.params.block_count()]);
    }

    /// Polls a future once.
    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
    }
}
