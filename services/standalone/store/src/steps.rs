//! The committer without its thread, for a simulation that decides when it works.

use std::sync::Arc;

use shared_ports::Clock;

use super::committer::{AbandonOnDrop, Committer};

/// A store's committer, which works when it is called. Dropping it is a crash of the process: what it had not
/// written is not on disk.
pub struct CommitSteps<K: Clock> {
    committer: Committer<K>,
    abandon: AbandonOnDrop<K>,
}

impl<K: Clock> CommitSteps<K> {
    pub(super) fn new(committer: Committer<K>) -> Self {
        let abandon = AbandonOnDrop(Arc::clone(committer.core()));
        Self { committer, abandon }
    }

    /// Waits until there is work, as the thread would. Must be called within a tokio runtime.
    pub async fn wait(&self) {
        self.committer.core().inbox.wait(self.committer.patience()).await;
    }

    /// Writes the waiting work. Returns false when the store is closed and nothing is left to do.
    pub fn step(&mut self) -> bool {
        self.committer.step()
    }

    /// Writes everything that waits and closes the engine. Never returns unless the store was
    /// [closed](super::Store::close) before.
    pub fn finish(mut self) {
        while self.step() {}
        self.committer.finish(self.abandon);
    }
}

impl<K: Clock> std::fmt::Debug for CommitSteps<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitSteps").finish_non_exhaustive()
    }
}
