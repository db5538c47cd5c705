//! State that the parts of the store share: users by shard, the ready list, timers and counters.

use std::cmp::Reverse;
use std::collections::hash_map::{HashMap, RandomState};
use std::collections::{BinaryHeap, VecDeque};
use std::hash::BuildHasher as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use contract_notifications_v1::UserId;
use shared_ports::Moment;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use shared_sync::IgnorePoison as _;

use super::codec::Seq;
use super::disk_room::DiskRoom;
use super::engine::{Engine, EngineCell};
use super::error::StoreError;
use super::held_counter::HeldCounter;
use super::inbox::{Deletes, Inbox};
use super::pending_records::{PendingNotification, RecordLocation};
use super::queued::Queued;
use super::read_threads::ReadThreads;
use super::settings::StorageSettings;
use super::user::User;

/// Number of locks over which users are spread.
const SHARDS: usize = 64;

type DeliveredSoon = Box<dyn Fn(&UserId) -> bool + Send + Sync>;

type Shard = Mutex<HashMap<UserId, User, RandomState>>;

/// The state that the parts of the store share. The crate's documentation has the order of its locks.
pub(super) struct Core<K> {
    pub(super) directory: PathBuf,
    pub(super) settings: StorageSettings,
    pub(super) clock: K,
    pub(super) engine: EngineCell,
    pub(super) disk_room: DiskRoom,
    pub(super) inbox: Inbox,
    /// Returns true for users to whom notifications will probably be delivered at once.
    pub(super) delivered_soon: OnceLock<DeliveredSoon>,
    /// Permits for notifications that wait for their commit, one for each KiB.
    pub(super) waiting: Arc<Semaphore>,
    pub(super) read_threads: ReadThreads,
    /// True if the store has no threads, and reads where it is called.
    pub(super) is_stepped: bool,
    /// Milliseconds by which reads of the disk are delayed.
    #[cfg(feature = "fault-injection")]
    pub(super) read_delay: AtomicU64,
    hasher: RandomState,
    shards: Vec<Shard>,
    ready: Mutex<VecDeque<UserId>>,
    /// Users that wait after a failure, by the end of the wait.
    timers: Mutex<BinaryHeap<Reverse<(Moment, UserId)>>>,
    pub(super) woken: Notify,
    /// The first sequence that is not in the queue yet. Rows from here on must not be read: they would be
    /// taken for held ones.
    pub(super) published: AtomicU64,
    /// The first sequence that this process may assign. Rows below it were left by an earlier process.
    pub(super) first_own: Seq,
    /// Bytes of queued notifications in memory.
    pub(super) hot_bytes: AtomicUsize,
    /// Those of them that are held: pushed, and not acknowledged.
    pub(super) held_bytes: AtomicUsize,
    /// Notifications in the queue, in memory or not. Below zero for a moment when one leaves the queue before
    /// it is counted.
    pub(super) queued: AtomicIsize,
    pub(super) held: Arc<HeldCounter>,
    pub(super) runs: AtomicU64,
    pub(super) in_flight: AtomicUsize,
    pub(super) dead_letters: AtomicUsize,
    /// True while the engine takes writes: false from a failed write until the engine is reopened, and after
    /// the committer has ended.
    pub(super) healthy: AtomicBool,
    /// Number of failed writes.
    pub(super) failures: AtomicU64,
    /// Time since which the committer has been at its present work; `None` while it waits.
    pub(super) writing_since: Mutex<Option<Instant>>,
    /// Dead letters that are being redriven or purged.
    pub(super) redriving: Mutex<std::collections::HashSet<Seq>>,
}

impl<K> Core<K> {
    pub(super) fn new(
        directory: PathBuf,
        settings: StorageSettings,
        clock: K,
        first_own: Seq,
        dead_letters: usize,
        is_stepped: bool,
    ) -> Self {
        let hasher = RandomState::new();
        Self {
            directory,
            waiting: Arc::new(Semaphore::new(waiting_permits(settings.waiting_bytes))),
            read_threads: ReadThreads::new(),
            is_stepped,
            #[cfg(feature = "fault-injection")]
            read_delay: AtomicU64::new(0),
            settings,
            clock,
            engine: EngineCell::default(),
            disk_room: DiskRoom::default(),
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
            held_bytes: AtomicUsize::new(0),
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

    /// Returns the engine for reading.
    pub(super) fn reader(&self) -> Result<Arc<Engine>, StoreError> {
        self.engine.get().ok_or(StoreError::Reopening)
    }

    /// Locks the shard of a user.
    pub(super) fn shard(&self, user: &UserId) -> MutexGuard<'_, HashMap<UserId, User>> {
        let hash = self.hasher.hash_one(user);
        // The upper six bits: within a shard, the map chooses a key's place by the lower bits.
        let at = usize::try_from(hash >> 58).unwrap_or(0);
        self.shards[at % SHARDS].lock().ignore_poison()
    }

    /// Calls `work` with the state of a user, and drops the state afterwards if it is idle.
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

    /// Calls `work` with the state of a user, then makes the user ready if there is something to receive.
    pub(super) fn with_user_woken<T>(&self, user: &UserId, work: impl FnOnce(&mut User) -> T) -> T {
        let (result, wake) = self.with_user(user, |state| (work(state), state.wake()));
        if wake {
            self.make_ready([user.clone()]);
        }
        result
    }

    /// Adds users to the ready list and wakes a receiver.
    pub(super) fn make_ready(&self, users: impl IntoIterator<Item = UserId>) {
        self.ready.lock().ignore_poison().extend(users);
        self.woken.notify_one();
    }

    /// Takes the next ready user and counts a lease in flight. Wakes another receiver if more users are
    /// ready.
    pub(super) fn next_ready(&self) -> Option<UserId> {
        let mut ready = self.ready.lock().ignore_poison();
        let user = ready.pop_front()?;
        // Under the lock, so that a user is always either in the list or in flight.
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if !ready.is_empty() {
            self.woken.notify_one();
        }
        Some(user)
    }

    /// Wakes the user at `until`. The user's state must be marked as waiting.
    pub(super) fn wait_until(&self, until: Moment, user: UserId) {
        self.timers.lock().ignore_poison().push(Reverse((until, user)));
        self.woken.notify_one();
    }

    /// Wakes the users whose wait has ended, and returns the end of the next wait.
    pub(super) fn expire_timers(&self, now: Moment) -> Option<Moment> {
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

    /// Queues notifications that are on disk, in ascending order of sequence. `next` is the sequence after
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
            // Before the shard is unlocked: an entry that can be received, and so become held, must be
            // readable.
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

    /// Hands deletions of rows to the committer.
    pub(super) fn delete_later(&self, user: &UserId, state: &mut User, seqs: Vec<Seq>) {
        if !seqs.is_empty() {
            let (user, seqs) = (user.clone(), seqs.into());
            self.delete_soon(state, Deletes { user, seqs, dead: None, pending: None });
        }
    }

    /// Hands deletions of rows to the committer. The caller holds the lock of the user's shard, with `state`
    /// under it, so that the committer gets a user's deletions in the order in which memory knows them.
    pub(super) fn delete_soon(&self, state: &mut User, deletes: Deletes) {
        state.deleting.push_back(Arc::clone(&deletes.seqs));
        self.inbox.delete(deletes);
    }

    /// Forgets deletions that are on disk now.
    pub(super) fn deleted(&self, deletes: &[Deletes]) {
        for Deletes { user, .. } in deletes {
            self.with_user(user, |state| _ = state.deleting.pop_front());
        }
    }

    /// Counts notifications that left the queue, `held` of which are held now.
    pub(super) fn finished(&self, entries: usize, held: usize) {
        self.queued.fetch_sub(isize::try_from(entries).unwrap_or(isize::MAX), Ordering::Relaxed);
        self.held.add(held);
    }

    /// Number of notifications for a user that may go to a pending record.
    pub(super) fn pending_capacity(&self, user: &UserId) -> usize {
        if !self.delivered_soon.get().is_some_and(|delivered_soon| delivered_soon(user)) {
            return 0;
        }
        let hot_entries = self.settings.hot_entries;
        self.shard(user).get(user).map_or(hot_entries, |state| state.room(hot_entries))
    }

    /// Notes that a pending notification gets a row. Returns false if it is completed already.
    pub(super) fn note_row(&self, pending: &PendingNotification) -> bool {
        let mut shard = self.shard(&pending.user);
        let queued = shard.get_mut(&pending.user).and_then(|state| state.in_memory(pending.seq));
        let queued = queued.filter(|queued| queued.pending == Some(pending.location));
        queued.map(|queued| queued.perhaps_row = true).is_some()
    }

    /// Notes that pending notifications have rows now.
    pub(super) fn rows_written(&self, rows: Vec<(UserId, Seq, RecordLocation)>) {
        for (user, seq, location) in rows {
            let freed = self.with_user(&user, |state| state.row_written(seq, location));
            self.release(freed);
        }
    }

    /// Notes that held notifications no longer take these bytes of memory.
    pub(super) fn release(&self, bytes: usize) {
        self.hot_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Number of ready users.
    pub(super) fn ready_users(&self) -> usize {
        self.ready.lock().ignore_poison().len()
    }

    /// Number of ready users and of leases in flight, at one moment: a user leaves the list only when counted
    /// in flight, and is in the list again before the count goes down.
    pub(super) fn active(&self) -> (usize, usize) {
        let ready = self.ready.lock().ignore_poison();
        (ready.len(), self.in_flight.load(Ordering::Acquire))
    }

    /// Number of users with state in memory.
    pub(super) fn users(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().ignore_poison().len()).sum()
    }
}

/// Permits for `bytes`: one for each KiB.
pub(super) fn waiting_permits(bytes: usize) -> usize {
    bytes.div_ceil(1024).clamp(1, Semaphore::MAX_PERMITS)
}
