//! What the ports of every service have in common: the [`Clock`], the two classes of [`PortError`], and
//! the [trace](mod@trace) that work belongs to.

pub mod trace;

use std::error::Error;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract_notifications_v1::Timestamp;

/// The time and the passing of it. Services ask this port alone, so that tests decide what time it is.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;

    /// Waits for `duration` of this clock's time.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// What an adapter's own error becomes at the port: the caller only needs to know whether trying again
/// can help.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Throttled, timed out, unreachable: trying again later may succeed.
    #[error("{operation} is not possible at the moment")]
    Retryable {
        /// What was attempted.
        operation: &'static str,
        /// The adapter's own error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Refused for good: the same call will never succeed.
    #[error("{operation} was refused")]
    Permanent {
        /// What was attempted.
        operation: &'static str,
        /// The adapter's own error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PortError {
    /// An error that may pass.
    pub fn retryable(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retryable { operation, source: source.into() }
    }

    /// An error that will not pass.
    pub fn permanent(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Permanent { operation, source: source.into() }
    }

    /// Whether trying again may succeed.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable { .. })
    }
}
