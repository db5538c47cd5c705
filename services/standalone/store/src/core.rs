//! What the parts of the store share.

use std::cmp::Reverse;
use std::collections::hash_map::{HashMap, RandomState};
use std::collections::{BinaryHeap, VecDeque};
use std::hash::BuildHasher as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use contract_notifications_v1::{Timestamp, UserId};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use shared_sync::IgnorePoison as _;

use super::codec::Seq;
use super::engine::{Engine, EngineCell};
use super::error::StoreError;
use super::held_counter::HeldCounter;
use super::inbox::{Deletes, Inbox};
use super::pending_records::PendingNotification;
use super::settings::StorageSettings;
use super::user::{Queued, User};

/// Users are spread over this many locks.
const SHARDS: usize = 64;

type DeliveredSoon = Box<dyn Fn(&UserId) -> bool + Send + Sync>;

type Shard = Mutex<HashMap<UserId, User, RandomState>>;

/// What the parts of the store share.
pub(super) struct Core<K> {
    pub(super) directory: PathBuf,
    pub(super) settings: StorageSettings,
    pub(super) clock: K,
    pub(super) engine: EngineCell,
    pub(super) inbox: Inbox,
    /// Whether what is accepted for a user will most likely be delivered at once.
    pub(super) delivered_soon: OnceLock<DeliveredSoon>,
    /// Room for notifications that wait for their commit, in KiB.
    pub(super) waiting: Semaphore,
    hasher: RandomState,
    shards: Vec<Shard>,
    ready: Mutex<VecDeque<UserId>>,
    /// Users that wait after a failure, and until when.
    timers: Mutex<BinaryHeap<Reverse<(Timestamp, UserId)>>>,
    pub(super) woken: Notify,
    /// The first sequence that is not yet in the queue: a row from here on must not be read, because it
    /// would pass for a held one.
    pub(super) published: AtomicU64,
    /// The first sequence of this process.
    pub(super) first_own: Seq,
    /// Bytes of queued notifications in memory.
    pub(super) hot_bytes: AtomicUsize,
    /// Notifications in the queue, in memory or not. What is queued may be gone before it is counted.
    pub(super) queued: AtomicIsize,
    pub(super) held: Arc<HeldCounter>,
    pub(super) runs: AtomicU64,
    pub(super) in_flight: AtomicUsize,
    pub(super) dead_letters: AtomicUsize,
    /// Whether the last attempt to write succeeded.
    pub(super) healthy: AtomicBool,
    /// How often the engine refused to write.
    pub(super) failures: AtomicU64,
    /// Since when a commit is under way.
    pub(super) writing_since: Mutex<Option<Instant>>,
    /// Dead letters that are being redriven.
    pub(super) redriving: Mutex<std::collections::HashSet<Seq>>,
}

impl<K> Core<K> {
    pub(super) fn new(
        directory: PathBuf,
        settings: StorageSettings,
        clock: K,
        first_own: Seq,
        dead_letters: usize,
    ) -> Self {
        let hasher = RandomState::new();
        Self {
            directory,
            waiting: Semaphore::new(waiting_permits(settings.waiting_bytes)),
            settings,
            clock,
            engine: EngineCell::default(),
            inbox: Inbox::default(),
            delivered_soon: OnceLock::new(),
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::with_hasher(hasher.clone()))).collect(),
            hasher,
            ready: Mutex::default(),
            timers: Mutex::default(),
            woken: Notify::new(),
            published: AtomicU64::new(first_own),
            first_own,
            hot_bytes: AtomicUsize::new(0),
            queued: AtomicIsize::new(0),
            held: Arc::default(),
            runs: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            dead_letters: AtomicUsize::new(dead_letters),
            healthy: AtomicBool::new(true),
            failures: AtomicU64::new(0),
            writing_since: Mutex::new(None),
            redriving: Mutex::default(),
        }
    }

    /// The engine, for reading.
    pub(super) fn reader(&self) -> Result<Arc<Engine>, StoreError> {
        self.engine.get().ok_or(StoreError::Reopening)
    }

    /// The lock under which the user is.
    pub(super) fn shard(&self, user: &UserId) -> MutexGuard<'_, HashMap<UserId, User>> {
        let hash = self.hasher.hash_one(user);
        // The upper bits: the maps use the lower ones.
        let at = usize::try_from(hash >> 58).unwrap_or(0);
        self.shards[at % SHARDS].lock().ignore_poison()
    }

    /// Works on what is in memory about a user, who is forgotten afterwards if there is nothing.
    pub(super) fn with_user<T>(&self, user: &UserId, work: impl FnOnce(&mut User) -> T) -> T {
        let mut shard = self.shard(user);
        if let Some(state) = shard.get_mut(user) {
            let result = work(state);
            if state.is_idle() {
                shard.remove(user);
            }
            return result;
        }
        let mut state = User::default();
        let result = work(&mut state);
        if !state.is_idle() {
            shard.insert(user.clone(), state);
        }
        result
    }

    /// Works on what is in memory about a user, then makes the user ready if there is something to receive.
    pub(super) fn with_user_woken<T>(&self, user: &UserId, work: impl FnOnce(&mut User) -> T) -> T {
        let (result, wake) = self.with_user(user, |state| (work(state), state.wake()));
        if wake {
            self.make_ready([user.clone()]);
        }
        result
    }

    /// Puts users on the list of those that are ready.
    pub(super) fn make_ready(&self, users: impl IntoIterator<Item = UserId>) {
        self.ready.lock().ignore_poison().extend(users);
        self.woken.notify_one();
    }

    /// The next ready user, counted as in flight. Whoever takes one lets the next receiver look as well.
    pub(super) fn next_ready(&self) -> Option<UserId> {
        let mut ready = self.ready.lock().ignore_poison();
        let user = ready.pop_front()?;
        // With the lock held, so that the user is always seen in the list or in flight.
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if !ready.is_empty() {
            self.woken.notify_one();
        }
        Some(user)
    }

    /// Makes the user wait until `until`.
    pub(super) fn wait_until(&self, until: Timestamp, user: UserId) {
        self.timers.lock().ignore_poison().push(Reverse((until, user)));
        self.woken.notify_one();
    }

    /// Wakes the users whose time has come, and says when the next one's comes.
    pub(super) fn expire_timers(&self, now: Timestamp) -> Option<Timestamp> {
        loop {
            let user = {
                let mut timers = self.timers.lock().ignore_poison();
                match timers.peek() {
                    Some(Reverse((at, _))) if *at > now => return Some(*at),
                    Some(_) => timers.pop().map(|Reverse((_, user))| user)?,
                    None => return None,
                }
            };
            self.with_user_woken(&user, |state| state.waiting = false);
        }
    }

    /// Queues notifications that are on disk, in ascending order of sequence; `next` is the sequence after
    /// them.
    pub(super) fn publish(&self, queued: impl IntoIterator<Item = Queued>, next: Seq) {
        let (mut woken, mut count) = (Vec::new(), 0);
        for entry in queued {
            let (user, seq) = (entry.notification.user_id.clone(), entry.seq);
            let room = self.hot_bytes.load(Ordering::Relaxed) < self.settings.hot_bytes;
            let mut shard = self.shard(&user);
            let state = match shard.get_mut(&user) {
                Some(state) => state,
                None => shard.entry(user.clone()).or_default(),
            };
            let bytes = state.publish(entry, room, self.settings.hot_entries);
            let wake = state.wake();
            count += 1;
            // With the lock held: once the entry can be received, and so become held, it can be read.
            self.published.fetch_max(seq + 1, Ordering::AcqRel);
            drop(shard);
            self.hot_bytes.fetch_add(bytes, Ordering::Relaxed);
            if wake {
                woken.push(user);
            }
        }
        self.queued.fetch_add(count, Ordering::Relaxed);
        self.published.fetch_max(next, Ordering::AcqRel);
        if !woken.is_empty() {
            self.make_ready(woken);
        }
    }

    /// Deletes rows on disk soon.
    pub(super) fn delete_later(&self, user: &UserId, state: &mut User, seqs: Vec<Seq>) {
        if !seqs.is_empty() {
            let (user, seqs) = (user.clone(), seqs.into());
            self.delete_soon(state, Deletes { user, seqs, dead: None, pending: None });
        }
    }

    /// Deletes rows on disk soon. To be called with the user's lock held and `state` under it, so that the
    /// committer gets a user's deletions in the order in which they are noted.
    pub(super) fn delete_soon(&self, state: &mut User, deletes: Deletes) {
        state.deleting.push_back(Arc::clone(&deletes.seqs));
        self.inbox.delete(deletes);
    }

    /// Deletions that are on disk now.
    pub(super) fn deleted(&self, deletes: &[Deletes]) {
        for Deletes { user, .. } in deletes {
            self.with_user(user, |state| _ = state.deleting.pop_front());
        }
    }

    /// Notifications that are queued no more, of which some are held now.
    pub(super) fn finished(&self, entries: usize, held: usize) {
        self.queued.fetch_sub(isize::try_from(entries).unwrap_or(isize::MAX), Ordering::Relaxed);
        self.held.add(held);
    }

    /// How many notifications for a user may go to the disk without rows of their own.
    pub(super) fn room_to_arrive(&self, user: &UserId) -> usize {
        if !self.delivered_soon.get().is_some_and(|delivered_soon| delivered_soon(user)) {
            return 0;
        }
        let hot_entries = self.settings.hot_entries;
        self.shard(user).get(user).map_or(hot_entries, |state| state.room(hot_entries))
    }

    /// Notes that what is written of a record gets a row besides; false when it is completed.
    pub(super) fn note_row(&self, pending: &PendingNotification) -> bool {
        let mut shard = self.shard(&pending.user);
        let queued = shard.get_mut(&pending.user).and_then(|state| state.queued(pending.seq));
        let queued = queued.filter(|queued| queued.pending == Some(pending.location));
        queued.map(|queued| queued.perhaps_row = true).is_some()
    }

    /// How many users are ready.
    pub(super) fn ready_users(&self) -> usize {
        self.ready.lock().ignore_poison().len()
    }

    /// How many users are ready and how many runs in flight, at one time: whoever is taken from the list is
    /// counted as in flight with its lock held, and goes on it again before being counted no more.
    pub(super) fn active(&self) -> (usize, usize) {
        let ready = self.ready.lock().ignore_poison();
        (ready.len(), self.in_flight.load(Ordering::Acquire))
    }

    /// How many users something is in memory about.
    pub(super) fn users(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().ignore_poison().len()).sum()
    }
}

/// Room for `bytes`, in KiB.
pub(super) fn waiting_permits(bytes: usize) -> usize {
    bytes.div_ceil(1024).clamp(1, Semaphore::MAX_PERMITS)
}
