//! Shared parts of all services' ports: the [`Clock`], the two classes of [`PortError`], and the current
//! [trace](mod@trace).

pub mod trace;

use std::error::Error;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract_notifications_v1::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// A clock. Services take the time from this port only, so that tests control it.
pub trait Clock: Send + Sync {
    /// Returns the current time, as people know it. It may jump in both directions.
    fn now(&self) -> Timestamp;

    /// Returns the present moment, by which durations are measured. It never goes back, and goes on while the machine
    /// sleeps. A clock whose time never jumps need not implement it.
    fn moment(&self) -> Moment {
        Moment::from_millis(self.now().millis())
    }

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

    fn moment(&self) -> Moment {
        // The one that counts the time in which the machine sleeps; elsewhere than on Linux there is no such one.
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let time = clock_gettime(clock);
        // Neither is negative.
        let millis = time.tv_sec.unsigned_abs() * 1_000 + time.tv_nsec.unsigned_abs() / 1_000_000;
        Moment::from_millis(millis)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A moment of a clock that never goes back, in milliseconds since some start. Only differences mean something, and
/// only within one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// Makes a moment.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the start.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Returns the time since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the moment after `duration`, rounded down to milliseconds.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
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
