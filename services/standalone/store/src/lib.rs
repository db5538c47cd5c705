//! The durable part of one process: notifications from acceptance to delivery, dead letters and small tables,
//! on one embedded engine (docs/adr/0004-storage-engine.md).
//!
//! # Rows
//!
//! A notification is one row on disk. The row is inserted when the notification is accepted and deleted when
//! it is delivered, acknowledged, expired, dropped or dead-lettered. It is not written in between, unless the
//! dispatcher changes the notification. A notification that will probably be delivered at once has no row of
//! its own: it stands in one pending record with the other such notifications of its commit
//! (`pending_records.rs`), and gets a row only if it has to be held.
//!
//! Memory alone knows whether a notification is an entry of the queue or a row of its user's mailbox
//! (`user.rs`). After a restart every row is in the mailbox: no connection survives a restart, and a user who
//! comes back gets the mailbox replayed.
//!
//! # Threads
//!
//! - The *committer* (`committer.rs`) alone writes to the engine once the store is open. Its thread takes the waiting
//!   work from the inbox, writes all notifications and deletions in it as one commit with one sync, and each other
//!   change as a commit of its own. A request that comes alone borrows it (`committer/shared.rs`).
//! - The *counter* (`held_counter.rs`) counts the rows that were there at the start, and ends.
//! - The *reclaimer* (`reclaim.rs`) merges the engine's table files to free disk space.
//!
//! Memory knows what the mailbox of an active user holds. Other reads of the disk run where they are wanted while
//! they are quick, and otherwise on the runtime's threads for blocking work (`disk_reads.rs`). A store that is opened
//! with [`Store::open_stepped`] has none of these threads, and reads on the caller's.
//!
//! # Locks
//!
//! Users are spread over the shards of `Core`, each with a lock. A thread that holds a shard's lock may take
//! the lock of the inbox, and no other. A thread that holds any other lock of the store, such as that of the
//! ready list, takes none. No lock is held while the engine is read or written, or across an await.
//!
//! Two locks are exceptions. That of the committer is held while it writes, and others are taken under it; only the
//! committer's thread waits for it. That of the list of threads is held while [`Store::close`] joins them, so that a
//! second caller waits too; the threads never take it.

mod codec;
mod commit;
mod commit_position;
mod committer;
mod core;
mod dead_letters;
mod dedup;
mod disk_reads;
mod disk_room;
mod durable_marker;
mod engine;
mod error;
#[cfg(feature = "fault-injection")]
pub mod fault_injection;
#[cfg(feature = "fuzz-api")]
pub mod fuzz_api;
mod held_counter;
mod held_pending;
mod inbox;
mod integrity;
mod mailbox;
mod mailbox_pages;
mod mailbox_view;
mod opening;
mod pending_records;
mod queue;
mod queued;
mod read_threads;
mod reclaim;
mod repair;
mod settings;
mod steps;
mod table;
mod user;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use contract_connections_v1::ConnectionKey;
use contract_notifications_v1::{Notification, Sequence, UserId};
use dispatcher::core::run::Outcome;
use fjall::Slice;
use shared_ports::Clock;
use shared_sync::IgnorePoison as _;
use tokio::sync::oneshot;

pub use dead_letters::{DeadLetter, DeadLetterPage, Redriven};
pub use error::{AcceptError, OpenError, StoreError};
pub use integrity::Damage;
pub use mailbox_view::{MailboxView, NotificationState, SEARCH_LIMIT, Search, StoredNotification};
pub use queue::Lease;
pub use repair::{Check, Repaired, Unreadable, check, repair};
pub use settings::{Durability, Origin, StorageSettings};
pub use steps::CommitSteps;
pub use table::{Table, TableRow, TableRows};

use self::codec::Seq;
use self::commit_position::Keyspace;
use self::committer::{Committer, SharedCommitter};
use self::core::{Core, waiting_permits};
use self::dedup::Dedup;
use self::durable_marker::DurableMarker;
use self::inbox::{Accept, Change, Prepared, Write};

/// Time after which a commit counts as stalled and the store is not ready.
const STALLED: Duration = Duration::from_secs(10);

/// A notification to accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The notification.
    pub notification: Notification,
    /// True if a repeated id is ignored. Set it for an id that the producer chose.
    pub deduplicate: bool,
}

impl Submission {
    /// A submission that is accepted once: a repeated id is ignored.
    pub const fn deduplicated(notification: Notification) -> Self {
        Self { notification, deduplicate: true }
    }
}

/// The result of accepting a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The notification's position in the user's order.
    pub sequence: Sequence,
    /// True if the id was accepted before; `sequence` is then that of the first acceptance.
    pub duplicate: bool,
}

/// Counters of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// Users with entries that can be received now.
    pub ready_users: usize,
    /// Users with state in memory.
    pub users_in_memory: usize,
    /// Leases that are not completed.
    pub leases_in_flight: usize,
    /// Notifications in the queue, those being delivered included.
    pub queued: usize,
    /// Bytes of queued notifications in memory.
    pub queued_bytes: usize,
    /// Notifications in mailboxes, those pushed and not acknowledged included, those in the queue not. `None`
    /// until the rows of the start are counted.
    pub held: Option<u64>,
    /// Dead letters.
    pub dead_letters: usize,
    /// Number of failed writes. The engine is reopened after each.
    pub failures: u64,
}

/// The store. Clones share it; dropping the last one closes it.
pub struct Store<K: Clock + 'static> {
    handle: Arc<Handle<K>>,
}

/// The mailboxes' keys for this process's replayer: only the highest key of a mailbox, because one replay
/// entry stands for all rows up to it.
#[derive(Debug, Clone)]
pub struct LastKey<K: Clock + 'static>(pub Store<K>);

/// A store whose files are read and whose threads are not started.
struct Loaded<K> {
    committer: Committer<K>,
    lock: opening::Lock,
    /// All rows at the start.
    rows: fjall::Iter,
}

struct Handle<K: Clock + 'static> {
    core: Arc<Core<K>>,
    committer: Arc<SharedCommitter<K>>,
    /// The counter, the reclaimer and the committer.
    threads: Mutex<Vec<JoinHandle<()>>>,
    reclaim: Arc<reclaim::Stop>,
    /// Dropped after the committer has closed the engine.
    _lock: opening::Lock,
}

impl<K: Clock + 'static> Handle<K> {
    fn close(&self) {
        self.core.inbox.close();
        self.core.held.stop();
        self.reclaim.stop();
        for thread in std::mem::take(&mut *self.threads.lock().ignore_poison()) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl<K: Clock + 'static> Drop for Handle<K> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<K: Clock + 'static> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<K: Clock + 'static> std::fmt::Debug for Store<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("directory", &self.core().directory).finish_non_exhaustive()
    }
}

impl<K: Clock + 'static> Store<K> {
    /// Opens or creates the store in `directory` and locks the directory for this process.
    ///
    /// # Errors
    /// [`OpenError`] naming what prevents it.
    pub fn open(directory: &Path, settings: StorageSettings, clock: K) -> Result<Self, OpenError> {
        let Loaded { committer, lock, rows } = Self::load(directory, settings, clock, false)?;
        let core = Arc::clone(committer.core());
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let held = Arc::clone(&core.held);
        let counter = thread("tidings-count").spawn(move || held.count(rows)).map_err(OpenError::Thread)?;
        let reclaim = Arc::<reclaim::Stop>::default();
        let (of_reclaimer, stop) = (Arc::clone(&core), Arc::clone(&reclaim));
        let merging = thread("tidings-reclaim")
            .spawn(move || reclaim::run(&of_reclaimer, &stop))
            .map_err(OpenError::Thread)?;
        let shared = Arc::new(SharedCommitter::new(Some(committer)));
        let (of_thread, of_committer) = (Arc::clone(&shared), Arc::clone(&core));
        let committer = thread("tidings-commit").spawn(move || of_thread.run(&of_committer));
        let committer = committer.inspect_err(|_| reclaim.stop()).map_err(OpenError::Thread)?;
        let threads = Mutex::new(vec![counter, merging, committer]);
        Ok(Self { handle: Arc::new(Handle { core, committer: shared, threads, reclaim, _lock: lock }) })
    }

    /// Opens or creates the store without a committer thread: it writes when [`CommitSteps`] are called.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_stepped(
        directory: &Path,
        settings: StorageSettings,
        clock: K,
    ) -> Result<(Self, CommitSteps<K>), OpenError> {
        let Loaded { committer, lock, rows } = Self::load(directory, settings, clock, true)?;
        let core = Arc::clone(committer.core());
        core.held.count(rows);
        let store = Self {
            handle: Arc::new(Handle {
                core,
                committer: Arc::new(SharedCommitter::new(None)),
                threads: Mutex::default(),
                reclaim: Arc::default(),
                _lock: lock,
            }),
        };
        Ok((store, CommitSteps::new(committer)))
    }

    /// Locks the directory and reads the files.
    fn load(
        directory: &Path,
        settings: StorageSettings,
        clock: K,
        is_stepped: bool,
    ) -> Result<Loaded<K>, OpenError> {
        let lock = opening::lock(directory)?;
        if !integrity::is_there(directory) {
            opening::create(directory, &settings)?;
        }
        let (engine, position) = opening::open(directory, &settings)?;
        let position = opening::convert_pending_records(directory, &engine, position)?;
        let unreadable = |error| opening::unreadable(directory, &error);
        let mut dedup =
            Dedup::new(settings.dedup_window, settings.dedup_entries, settings.client_dedup_entries);
        let stale = opening::load_ids(&engine, &mut dedup, &clock, &settings).map_err(unreadable)?;
        let dead_letters = engine.count(Keyspace::DeadLetters).map_err(unreadable)?;
        let dead_letters = usize::try_from(dead_letters).unwrap_or(usize::MAX);
        let marker = DurableMarker::open(directory)
            .map_err(|source| OpenError::Directory { directory: directory.to_owned(), source })?;
        let core = Arc::new(Core::new(
            directory.to_owned(),
            settings,
            clock,
            position.next,
            dead_letters,
            is_stepped,
        ));
        let rows = engine.rows.iter();
        core.engine.set(engine);
        Ok(Loaded { committer: Committer::new(core, dedup, position, marker, stale), lock, rows })
    }

    fn core(&self) -> &Arc<Core<K>> {
        &self.handle.core
    }

    /// Accepts notifications, all or none. When this returns they are queued, and as durable as the settings
    /// say. A caller that stops waiting does not undo the acceptance.
    ///
    /// # Errors
    /// [`AcceptError`], whose documentation says when notifications may be accepted all the same.
    pub async fn accept(&self, submissions: Vec<Submission>) -> Result<Vec<Accepted>, AcceptError> {
        let mut scratch = Vec::new();
        let prepare =
            |Submission { notification, deduplicate }| prepare(&mut scratch, notification, deduplicate);
        self.accept_prepared(Origin::Producer, submissions.into_iter().map(prepare).collect()).await
    }

    /// Accepts notifications that clients send, as [`Store::accept`] does those of producers. Clients have a larger
    /// reserve of the disk and a smaller budget of ids. A repeated id is ignored.
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub async fn accept_from_clients(
        &self,
        notifications: Vec<Notification>,
    ) -> Result<Vec<Accepted>, AcceptError> {
        let mut scratch = Vec::new();
        let prepare = |notification| prepare(&mut scratch, notification, true);
        self.accept_prepared(Origin::Client, notifications.into_iter().map(prepare).collect()).await
    }

    /// Returns true if the disk has room for further notifications of a kind of sender.
    pub fn has_room_for(&self, origin: Origin) -> bool {
        self.core().has_room_for(origin)
    }

    async fn accept_prepared(
        &self,
        origin: Origin,
        items: Vec<Prepared>,
    ) -> Result<Vec<Accepted>, AcceptError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = items.iter().map(|item| item.value.len()).sum();
        let most = waiting_permits(self.core().settings.waiting_bytes);
        let permits = u32::try_from(waiting_permits(bytes).min(most)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.core().waiting).acquire_many_owned(permits);
        let room = room.await.map_err(|_| AcceptError::ShuttingDown)?;
        let (answer, accepted) = oneshot::channel();
        let accept = Accept { origin, items, answer, room };
        if let Err(accept) = self.handle.committer.commit_here(accept)
            && !self.core().inbox.accept(accept)
        {
            return Err(AcceptError::ShuttingDown);
        }
        let accepted = accepted.await.map_err(|_| AcceptError::Unavailable)??;
        let duplicates = accepted.iter().filter(|accepted| accepted.duplicate).count();
        if duplicates > 0 {
            metrics::counter!("tidings_duplicates_total").increment(duplicates as u64);
        }
        Ok(accepted)
    }

    /// Makes changes in one commit. They are as durable as the settings say when this returns.
    async fn write(&self, changes: Vec<Change>, highest: Option<Seq>) -> Result<(), AcceptError> {
        self.write_with(changes, highest, Vec::new()).await
    }

    /// Makes changes in one commit that create rows for pending notifications.
    async fn write_with(
        &self,
        changes: Vec<Change>,
        highest: Option<Seq>,
        pending_records: Vec<pending_records::RecordLocation>,
    ) -> Result<(), AcceptError> {
        let (answer, done) = oneshot::channel();
        self.written(Write { changes, highest, pending_records, lazy: false, answer }, done).await
    }

    /// Makes changes in one commit that is synced within a second. A power cut before that undoes them.
    async fn write_lazily(&self, changes: Vec<Change>) -> Result<(), AcceptError> {
        let (answer, done) = oneshot::channel();
        self.written(Write { changes, highest: None, pending_records: Vec::new(), lazy: true, answer }, done)
            .await
    }

    async fn written(
        &self,
        write: Write,
        done: oneshot::Receiver<Result<(), AcceptError>>,
    ) -> Result<(), AcceptError> {
        if !self.core().inbox.write(write) {
            return Err(AcceptError::ShuttingDown);
        }
        done.await.map_err(|_| AcceptError::Unavailable)?
    }

    /// Waits until all deletions so far are written. They survive a crash of the process at once, and a power
    /// cut only after the next sync.
    ///
    /// # Errors
    /// [`AcceptError`] when the store can't be written.
    pub async fn flush(&self) -> Result<(), AcceptError> {
        self.write(Vec::new(), None).await
    }

    /// Leases the entries of the next ready user, and waits until there is one. Dropping the future loses no
    /// lease.
    pub async fn receive(&self) -> Lease<K> {
        self.core().receive().await
    }

    /// Makes every read of the disk take longer.
    #[cfg(feature = "fault-injection")]
    pub fn delay_reads(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.core().read_delay.store(millis, Ordering::Relaxed);
    }

    /// Leases the entries of the next ready user, if there is one now. Reads from the disk on this thread.
    pub fn try_receive(&self) -> Option<Lease<K>> {
        self.core().try_receive(false).ok()
    }

    /// Completes a lease with the outcome of each entry, in order. An entry without an outcome is retried.
    pub fn complete(&self, lease: Lease<K>, outcomes: &[Outcome]) {
        lease.complete(outcomes);
    }

    /// Forgets the pushes to a connection that closed.
    pub fn connection_closed(&self, key: &ConnectionKey) {
        self.core().with_user(&key.user_id, |state| {
            let mut is_pushed = false;
            for pushed_to in state.pushes() {
                pushed_to.remove(&key.connection_id);
                is_pushed |= !pushed_to.is_empty();
            }
            if !is_pushed {
                state.forget_rows();
            }
        });
    }

    /// Sets, once, the test for users to whom notifications will probably be delivered at once. For them a
    /// commit writes one pending record in place of a row for each notification, and removes it as one. A
    /// notification that has to be held after all is written once more.
    pub fn expect_delivery(&self, delivered_soon: impl Fn(&UserId) -> bool + Send + Sync + 'static) {
        // The first call counts.
        _ = self.core().delivered_soon.set(Box::new(delivered_soon));
    }

    /// Returns the small durable table of that name.
    pub fn table(&self, name: &str) -> Table<K> {
        Table::new(self.clone(), name)
    }

    /// Returns the time that the committer has spent on its present work, zero while it is idle. The engine
    /// may wait without end for a flush or a compaction that can't succeed; then only a restart of the
    /// process helps.
    pub fn stalled_for(&self) -> Duration {
        self.core().writing_since.lock().ignore_poison().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Returns true if notifications can be accepted: the engine writes, and the disk has room.
    pub fn is_ready(&self) -> bool {
        self.stalled_for() < STALLED && self.core().healthy.load(Ordering::Acquire) && self.core().has_room()
    }

    /// Returns the store's counters.
    pub fn stats(&self) -> StoreStats {
        let core = self.core();
        let (ready_users, leases_in_flight) = core.active();
        StoreStats {
            ready_users,
            users_in_memory: core.users(),
            leases_in_flight,
            queued: usize::try_from(core.queued.load(Ordering::Relaxed)).unwrap_or(0),
            held: core.held.get(),
            queued_bytes: core.hot_bytes.load(Ordering::Relaxed),
            dead_letters: core.dead_letters.load(Ordering::Relaxed),
            failures: core.failures.load(Ordering::Relaxed),
        }
    }

    /// Refuses further notifications, writes what waits and closes the engine. Blocks until that is done.
    pub fn close(&self) {
        self.handle.close();
    }
}

/// Prepares a notification for the committer as far as the caller's thread can.
fn prepare(scratch: &mut Vec<u8>, notification: Notification, deduplicate: bool) -> Prepared {
    codec::encode_into(scratch, &notification);
    Prepared {
        value: Slice::new(scratch),
        fingerprint: deduplicate.then(|| dedup::fingerprint(&notification)),
        notification: Arc::new(notification),
        redriven: None,
    }
}
