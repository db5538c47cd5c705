//! Reopens the engine after a failed write.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fjall::PersistMode;
use metrics::counter;
use shared_ports::Clock;
use tokio::time::Instant;

use super::super::commit_position::CommitPosition;
use super::super::engine::{Batch, Engine, free_bytes};
use super::super::error::OpenError;
use super::super::opening;
use super::{Committer, READERS};

/// The part of the reserve that must be free to reopen the engine.
const REOPEN_RESERVE: u64 = 4;
/// Longest pause between attempts to reopen the engine.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl<K: Clock> Committer<K> {
    pub(super) fn enter_broken_state(&mut self, error: &fjall::Error) {
        let error = shared_telemetry::chain(error);
        tracing::error!(error, pause = ?self.pause, "the store can't write and will be reopened");
        counter!("tidings_store_failures_total").increment(1);
        self.core.failures.fetch_add(1, Ordering::Relaxed);
        self.core.healthy.store(false, Ordering::Release);
        self.broken = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Reopens the engine if that is necessary and due. Returns false if the engine can't be written.
    pub(super) fn recover(&mut self) -> bool {
        let Some(not_before) = self.broken else { return true };
        // While the disk is full, reads go on with the old handle; reopening would fail. A part of the reserve is
        // enough for it, and only an open engine can give space back.
        let room = (self.core.settings.reserve_bytes / REOPEN_RESERVE).max(1);
        if Instant::now() < not_before || free_bytes(&self.core.directory) < room {
            return false;
        }
        self.broken = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        if !self.core.engine.close(READERS) {
            return false;
        }
        match self.reopen() {
            Ok(engine) => {
                tracing::info!("the store was reopened");
                self.core.engine.set(engine);
                self.broken = None;
                self.core.healthy.store(true, Ordering::Release);
                true
            }
            Err(error) => {
                let error = shared_telemetry::chain(&error);
                tracing::warn!(error, pause = ?self.pause, "the store could not be reopened");
                false
            }
        }
    }

    /// Opens the engine, finds out if the failed commit was written, and tries to write. If it was written,
    /// its notifications are queued now, although their producers got an error.
    fn reopen(&mut self) -> Result<Engine, OpenError> {
        let (engine, position) = opening::open(&self.core.directory, &self.core.settings)?;
        self.position = CommitPosition { next: self.position.next.max(position.next), ..position };
        if let Some(commit) = self.uncertain.take() {
            if position.commit >= commit.number {
                // The producer's next attempt is a duplicate, if its ids are deduplicated.
                self.publish_commit(commit);
            } else {
                commit.ids.iter().for_each(|ids| self.dedup.undo(ids));
            }
        }
        let probe = Batch::new(0, PersistMode::SyncData);
        let probed = engine.commit_always(probe, &self.position, self.position.next);
        let directory = || self.core.directory.clone();
        self.position = probed.map_err(|source| OpenError::Engine { directory: directory(), source })?;
        self.write_marker();
        Ok(engine)
    }
}
