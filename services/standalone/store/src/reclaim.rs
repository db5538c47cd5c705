//! Reclaims the disk space of removed rows.
//!
//! A removed row leaves a tombstone. The engine drops both when it merges their tables, which it does when a
//! level is full. Tombstones are much smaller than rows, so after a large backlog was delivered the levels
//! may never fill up, and most of the rows would stay on disk. So this thread merges all tables when there
//! are at least as many tombstones as stored rows, and at least `reclaim_rows`. A merge reads and writes a
//! few times what was removed since the last one, so the cost of a removal does not grow with the store.
//!
//! When the disk is nearly full, every byte counts: the rows in memory are written out, so that the journal with
//! all that was removed since can be deleted, and few tombstones are enough for a merge. What that needs is
//! reserved: notifications are refused before it is used up.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use shared_sync::IgnorePoison as _;

use super::core::Core;
use super::engine::free_bytes;
use super::settings::{Origin, StorageSettings};

/// Time between two checks.
const EVERY: Duration = Duration::from_secs(2);
/// Where the disk is nearly full, the rows in memory are written out when they are this part of the reserve.
const WRITTEN_OUT: u64 = 8;
/// Where the disk is nearly full, tables are merged when the tombstones are this part of the stored rows.
const SCARCE_TOMBSTONES: u64 = 8;
/// Pause after a merge, as a multiple of its duration, so that merging takes at most a third of the time.
const PAUSES: u32 = 2;

/// Stops the reclaiming thread.
#[derive(Debug, Default)]
pub(super) struct Stop {
    over: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Stops the thread after its present merge.
    pub(super) fn stop(&self) {
        *self.over.lock().ignore_poison() = true;
        self.changed.notify_all();
    }

    /// Waits for a time. Returns true if the thread must stop.
    fn is_over_within(&self, time: Duration) -> bool {
        let over = self.over.lock().ignore_poison();
        let (over, _) = self.changed.wait_timeout_while(over, time, |over| !*over).ignore_poison();
        *over
    }
}

/// Reclaims space now and then until it is stopped.
pub(super) fn run<K>(core: &Core<K>, stop: &Stop) {
    let mut pause = EVERY;
    while !stop.is_over_within(pause) {
        let start = Instant::now();
        core.give_space_back();
        pause = EVERY.max(start.elapsed() * PAUSES);
    }
}

impl<K> Core<K> {
    /// Returns true if the disk has room for further notifications: beside the reserve, if there is one, for what the
    /// engine has in memory and must still write out.
    pub(super) fn has_room(&self) -> bool {
        self.has_room_beside(self.settings.reserve_bytes)
    }

    /// Returns true if the disk has room for further notifications of a kind of sender.
    pub(super) fn has_room_for(&self, origin: Origin) -> bool {
        let StorageSettings { reserve_bytes, client_reserve_bytes, .. } = self.settings;
        match origin {
            Origin::Producer => self.has_room_beside(reserve_bytes),
            Origin::Client => self.has_room_beside(reserve_bytes.saturating_add(client_reserve_bytes)),
        }
    }

    fn has_room_beside(&self, reserve: u64) -> bool {
        let engine = self.engine.get();
        let (unwritten, written) =
            engine.map_or((0, 0), |engine| (engine.unwritten_bytes(), engine.written_bytes()));
        let needed = if reserve == 0 { 1 } else { reserve.saturating_add(unwritten) };
        self.disk_room.has(needed, written, tokio::time::Instant::now(), || free_bytes(&self.directory))
    }

    /// Writes the rows in memory out if the disk is nearly full, and merges all tables if there are enough tombstones
    /// and the disk has room for it.
    fn give_space_back(&self) {
        // An engine that is being reopened, or whose rows are still being counted, is checked later.
        let (Some(engine), Some(stored)) = (self.engine.get(), self.stored()) else { return };
        let (reserve, unwritten) = (self.settings.reserve_bytes, engine.unwritten_bytes());
        let free = free_bytes(&self.directory);
        let is_scarce = free < reserve.saturating_mul(2).saturating_add(unwritten);
        let is_worth_it = !self.has_room() || unwritten >= reserve / WRITTEN_OUT;
        if is_scarce && unwritten > 0 && is_worth_it && engine.is_at_rest() {
            report(engine.start_write_out());
        }
        let tombstones = engine.tombstones();
        let (enough, spare) = if is_scarce {
            (stored / SCARCE_TOMBSTONES, 0)
        } else {
            (self.settings.reclaim_rows.max(stored), reserve)
        };
        // The old tables are deleted after the new ones are written. On a full disk a merge would block
        // further notifications.
        let room = merged_bytes(engine.table_bytes(), stored, tombstones);
        if tombstones >= enough.max(1) && free >= spare.saturating_add(room) {
            report(engine.merge_all().map(drop));
        }
    }

    /// Number of stored notifications, held and queued; `None` until the rows of the start are counted.
    fn stored(&self) -> Option<u64> {
        let queued = self.queued.load(std::sync::atomic::Ordering::Relaxed);
        Some(self.held.get()?.saturating_add(u64::try_from(queued).unwrap_or(0)))
    }
}

fn report(outcome: fjall::Result<()>) {
    if let Err(error) = outcome {
        let error = shared_telemetry::chain(&error);
        tracing::warn!(error, "disk space could not be reclaimed");
    }
}

/// Estimates the bytes that are left after a merge of all tables: those of the stored rows. Each tombstone
/// had a row, too.
fn merged_bytes(tables: u64, stored: u64, tombstones: u64) -> u64 {
    let rows = u128::from(stored) + u128::from(tombstones);
    u64::try_from(u128::from(tables) * u128::from(stored) / rows.max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use contract_notifications_v1::UserId;
    use dispatcher::core::run::Outcome;
    use fjall::PersistMode;
    use verification_conformance::ManualClock;

    use super::super::codec::row_key;
    use super::super::commit_position::{CommitPosition, Keyspace};
    use super::super::engine::{Batch, Engine};
    use super::super::settings::StorageSettings;
    use super::super::{CommitSteps, Store, Submission};
    use super::*;

    const ROWS: u64 = 20_000;

    /// With so little memory for rows the engine's own threads work, too.
    fn busy() -> StorageSettings {
        StorageSettings { memtable_bytes: 256 * 1024, ..StorageSettings::default() }
    }

    /// Writes or removes all rows, some at a time.
    fn change(engine: &Engine, mut position: CommitPosition, value: Option<&[u8]>) -> CommitPosition {
        let user = UserId::new("alice").unwrap();
        for first in (0..ROWS).step_by(500) {
            let mut batch = Batch::new(500, PersistMode::Buffer);
            for seq in first..first + 500 {
                match value {
                    Some(value) => batch.insert(Keyspace::Rows, row_key(&user, seq), value),
                    None => batch.remove(Keyspace::Rows, row_key(&user, seq)),
                }
            }
            position = engine.commit(batch, &position, position.next).unwrap();
        }
        position
    }

    /// Waits until the engine's own threads have nothing to do.
    fn rest(engine: &Engine) {
        let began = Instant::now();
        while !engine.is_at_rest() {
            assert!(began.elapsed() < Duration::from_mins(1), "the engine is at work for too long");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn merged_removed_rows_take_no_space() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), &StorageSettings::default()).unwrap();
        let position = change(&engine, CommitPosition::EMPTY, Some(&[7; 200]));
        engine.write_out().unwrap();
        rest(&engine);
        let full = engine.table_bytes();
        assert!(full > ROWS * 200, "{full}");
        change(&engine, position, None);
        engine.write_out().unwrap();
        rest(&engine);
        // The engine leaves this by itself; merging is for it.
        assert_eq!((engine.tombstones(), engine.table_bytes() > full), (ROWS, true));
        assert!(engine.merge_all().unwrap());
        let left = (engine.tombstones(), engine.table_bytes());
        assert!(left.0 == 0 && left.1 < full / 20, "{left:?} of {full}");
    }

    #[test]
    fn stored_rows_survive_a_merge() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), &busy()).unwrap();
        let position = change(&engine, CommitPosition::EMPTY, Some(b"first"));
        let position = change(&engine, position, None);
        let position = change(&engine, position, Some(b"second"));
        assert!(engine.merge_all().unwrap());
        engine.write_out().unwrap();
        assert!(engine.merge_all().unwrap());
        let user = UserId::new("alice").unwrap();
        let rows: Vec<_> = engine.scan(&user, 0, ROWS).map(Result::unwrap).collect();
        assert_eq!(rows.len() as u64, ROWS);
        assert!(rows.iter().all(|(_, value)| **value == *b"second"));
        drop(rows);
        change(&engine, position, None);
        engine.write_out().unwrap();
        assert!(engine.merge_all().unwrap());
        assert_eq!(engine.scan(&user, 0, ROWS).count(), 0);
    }

    type TestStore = Store<ManualClock>;

    /// Commits while something waits for commits.
    async fn committed<T>(steps: &mut CommitSteps<ManualClock>, done: impl Future<Output = T>) -> T {
        let commit = async {
            loop {
                steps.wait().await;
                steps.step();
            }
        };
        tokio::select! {
            biased;
            done = done => done,
            never = commit => never,
        }
    }

    fn write_out(store: &TestStore) {
        store.core().engine.get().unwrap().write_out().unwrap();
    }

    async fn accept(store: &TestStore, steps: &mut CommitSteps<ManualClock>, count: u64) {
        let user = verification_conformance::user("alice");
        let submission = |number| Submission {
            notification: verification_conformance::notification(&user, number),
            deduplicate: false,
        };
        committed(steps, store.accept((0..count).map(submission).collect())).await.unwrap();
        write_out(store);
    }

    async fn deliver(store: &TestStore, steps: &mut CommitSteps<ManualClock>) {
        while let Some(lease) = store.try_receive() {
            let outcomes = vec![Outcome::Done; lease.entries().len()];
            store.complete(lease, &outcomes);
        }
        committed(steps, store.flush()).await.unwrap();
        write_out(store);
    }

    #[tokio::test]
    async fn space_is_reclaimed_when_most_rows_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let settings = StorageSettings { reclaim_rows: 100, reserve_bytes: 0, ..StorageSettings::default() };
        let opened = Store::open_stepped(dir.path(), settings, ManualClock::default());
        let (store, mut steps) = opened.unwrap();
        let tombstones = || store.core().engine.get().unwrap().tombstones();

        accept(&store, &mut steps, 600).await;
        deliver(&store, &mut steps).await;
        accept(&store, &mut steps, 1_000).await;
        store.core().give_space_back();
        assert_eq!(tombstones(), 600);

        deliver(&store, &mut steps).await;
        store.core().give_space_back();
        assert_eq!(tombstones(), 0);

        // Too few to be worth a merge.
        accept(&store, &mut steps, 90).await;
        deliver(&store, &mut steps).await;
        store.core().give_space_back();
        assert_eq!(tombstones(), 90);
        store.close();
        steps.finish();
    }

    #[test]
    fn merge_needs_room_for_stored_rows() {
        assert_eq!(merged_bytes(1_000, 0, 500), 0);
        assert_eq!(merged_bytes(1_000, 500, 500), 500);
        assert_eq!(merged_bytes(u64::MAX, u64::MAX, 0), u64::MAX);
        assert_eq!(merged_bytes(0, 0, 0), 0);
    }

    #[test]
    fn stop_ends_the_wait() {
        let stop = Arc::new(Stop::default());
        assert!(!stop.is_over_within(Duration::ZERO));
        let other = Arc::clone(&stop);
        let waits = std::thread::spawn(move || other.is_over_within(Duration::from_hours(1)));
        stop.stop();
        assert!(waits.join().unwrap());
    }
}
