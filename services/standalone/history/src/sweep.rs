//! Deletes expired rows of the history.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use shared_ports::Clock;
use tidings_store::StoreError;

use super::{StoredHistory, rows};

/// Interval at which expired rows are looked for.
const INTERVAL: Duration = Duration::from_mins(1);
/// Pause between two writes while there are more expired rows, so that deliveries come between.
const PAUSE: Duration = Duration::from_millis(100);
/// Maximum number of rows deleted at once.
const AT_ONCE: usize = 500;

/// Sweeps once a minute until `shutdown` completes.
pub async fn run_sweeper<K: Clock + 'static>(
    history: StoredHistory<K>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    loop {
        let pause = match history.sweep().await {
            Ok(AT_ONCE..) => PAUSE,
            Ok(_) => INTERVAL,
            Err(error) => {
                let error = shared_telemetry::chain(&error);
                tracing::warn!(error, "expired rows of the history can't be deleted");
                INTERVAL
            }
        };
        if let Either::Right(_) = select(pin!(history.clock.sleep(pause)), &mut shutdown).await {
            return;
        }
    }
}

impl<K: Clock + 'static> StoredHistory<K> {
    /// Deletes up to 500 expired rows and returns their number.
    ///
    /// # Errors
    /// [`StoreError`] if the store can't be read or written.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let (from, end) = rows::expired(self.clock.now());
        let found = self.table.first(&from, &end, AT_ONCE).await?;
        let count = found.len();
        if count > 0 {
            let removed = found.into_iter().flat_map(|(index, _)| [rows::indexed(&index), index]);
            self.table.change_lazily(Vec::new(), removed.collect()).await?;
        }
        Ok(count)
    }
}
