//! Replays that dispatchers have scheduled, because runs failed repeatedly and were set aside.

use contract_notifications_v1::{Replay, Sequence, Timestamp};
use metrics::counter;
use shared_ports::{Clock as _, PortError};

use crate::core::limits::body;
use crate::ports::{DuePage, DueReplay, DueReplays, Ports, RandomSource as _, ReplayEntry, ReplayQueue as _};
use crate::service::Replayer;

/// Number of scheduled replays read at once.
const PAGE: usize = 100;

impl<P: Ports> Replayer<P> {
    /// Queues a replay of the whole mailbox for each user with a scheduled replay, and returns their number. Ends
    /// by `deadline`; what is left is found by the next sweep.
    ///
    /// If the future is dropped, some replays may be queued and still scheduled; they are queued again.
    ///
    /// # Errors
    /// [`PortError`] if the scheduled replays could not be read, or not all entries be sent.
    pub async fn sweep(&self, scheduled: &impl DueReplays, deadline: Timestamp) -> Result<usize, PortError> {
        let (mut count, mut last): (usize, Option<DueReplay>) = (0, None);
        let mut failed = None;
        while self.clock.now() < deadline {
            let DuePage { due, more } = scheduled.due(last.as_ref(), PAGE).await?;
            last = due.last().cloned().or(last);
            for batch in due.chunks(self.config.limits.batch_entries.max(1)) {
                if self.clock.now() >= deadline {
                    return Ok(count);
                }
                match self.requeue(scheduled, batch).await {
                    Ok(requeued) => count += requeued,
                    // Others may succeed, because a queue throttles by its partitions.
                    Err(error) => failed = Some(error),
                }
            }
            if !more {
                break;
            }
        }
        counter!("tidings_replays_requeued_total").increment(u64::try_from(count).unwrap_or(u64::MAX));
        failed.map_or(Ok(count), Err)
    }

    /// Queues the replays of a batch, and then unschedules those that the queue took.
    async fn requeue(&self, scheduled: &impl DueReplays, batch: &[DueReplay]) -> Result<usize, PortError> {
        let entry = |due: &DueReplay| ReplayEntry {
            replay: Replay { user_id: due.user_id.clone(), sequence: Sequence::MAX },
            body: body(&due.user_id, Sequence::MAX),
            deduplication_id: self.random().deduplication_id(),
        };
        let entries: Vec<_> = batch.iter().map(entry).collect();
        let refused = self.queue.send(&entries).await?;
        let taken = batch.iter().enumerate().filter(|(position, _)| !refused.contains(position));
        let mut count = 0;
        for (_, due) in taken {
            scheduled.remove(due).await?;
            count += 1;
        }
        Ok(count)
    }
}
