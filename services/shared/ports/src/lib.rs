//! Shared parts of all services' ports: the [`Clock`], the two classes of [`PortError`], and the current
//! [trace](mod@trace).

pub mod trace;

use std::error::Error;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract_notifications_v1::Timestamp;

/// A clock. Services take the time from this port only, so that tests control it.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Waits for `duration` on this clock.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// The system clock.
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

/// The error of an adapter. It tells the caller only if a later attempt may succeed.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Throttled, timed out or unreachable; a later attempt may succeed.
    #[error("{operation} is not possible at the moment")]
    Retryable {
        /// The operation, such as "listing connections".
        operation: &'static str,
        /// The adapter's own error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Refused; the same call can never succeed.
    #[error("{operation} was refused")]
    Permanent {
        /// The operation, such as "listing connections".
        operation: &'static str,
        /// The adapter's own error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PortError {
    /// Makes a retryable error.
    pub fn retryable(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retryable { operation, source: source.into() }
    }

    /// Makes a permanent error.
    pub fn permanent(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Permanent { operation, source: source.into() }
    }

    /// Returns true if a later attempt may succeed.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable { .. })
    }
}
