//! A clock for tests.

use std::sync::Arc;
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use shared_ports::Clock;
use tokio::sync::watch;

/// A clock that shows the same time until a test advances it. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<watch::Sender<Timestamp>>);

impl ManualClock {
    /// Makes a clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(now)))
    }

    /// Advances the clock and wakes the sleeps that are over then.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| *now = now.plus(duration));
    }
}

impl Default for ManualClock {
    /// Makes a clock that shows a day after the epoch.
    fn default() -> Self {
        Self::new(Timestamp::from_millis(24 * 60 * 60 * 1000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let end = self.now().plus(duration);
        // The sender lives as long as this clock.
        _ = self.0.subscribe().wait_for(|now| *now >= end).await;
    }
}
