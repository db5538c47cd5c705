//! A cache for one value that is fetched from elsewhere, such as a key set or a secret.
//!
//! The state is in an `RwLock` that is never held across an await. A `Mutex` lets one caller at a time fetch;
//! the others that wait for it use the result of that fetch. If a caller's future is dropped during its
//! fetch, the state stays unchanged and the next caller fetches.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use metrics::counter;
use shared_ports::{Clock, PortError};
use tokio::sync::Mutex;

/// Ages of a cached value, and intervals between fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheTimes {
    /// Age up to which the value is used without a fetch.
    pub fresh: Duration,
    /// Age up to which the value is used if fetching fails.
    pub stale: Duration,
    /// Shortest interval between two fetches while there is a value to use. It limits the fetches that an
    /// attacker can cause with unknown keys.
    pub interval: Duration,
    /// Shortest interval between two fetches while there is no value.
    pub interval_without_value: Duration,
}

impl CacheTimes {
    /// Times for key sets.
    pub const KEY_SETS: Self = Self {
        fresh: Duration::from_hours(1),
        stale: Duration::from_hours(24),
        interval: Duration::from_mins(1),
        interval_without_value: Duration::from_secs(5),
    };
    /// Times for secrets.
    pub const SECRETS: Self = Self { fresh: Duration::from_mins(5), ..Self::KEY_SETS };
}

/// The last fetch failed, and the interval until the next one is not over.
#[derive(Debug, thiserror::Error)]
#[error("the last attempt failed, and it is too early for the next one")]
struct NotDue;

#[derive(Debug)]
struct State<T> {
    /// The value, with the time at which it was fetched.
    value: Option<(Arc<T>, Timestamp)>,
    last_fetch: Option<Fetch>,
    fetches: u64,
}

#[derive(Debug, Clone, Copy)]
struct Fetch {
    at: Timestamp,
    failed: bool,
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), last_fetch: self.last_fetch, fetches: self.fetches }
    }
}

impl<T> State<T> {
    /// Returns the value if it is younger than `age`.
    fn younger_than(&self, age: Duration, now: Timestamp) -> Option<Arc<T>> {
        let (value, at) = self.value.as_ref()?;
        (now.since(*at) < age).then(|| Arc::clone(value))
    }
}

/// A cached value. Concurrent callers share one fetch, and no caller waits for a fetch while the value in the
/// cache is good enough.
#[derive(Debug)]
pub struct Cached<T> {
    /// Name of the fetch for logs and errors, such as `fetching a key set`.
    operation: &'static str,
    times: CacheTimes,
    state: RwLock<State<T>>,
    fetching: Mutex<()>,
}

impl<T> Cached<T> {
    /// Returns an empty cache. `operation` names the fetch.
    pub fn new(operation: &'static str, times: CacheTimes) -> Self {
        let state = State { value: None, last_fetch: None, fetches: 0 };
        Self { operation, times, state: RwLock::new(state), fetching: Mutex::default() }
    }

    /// Returns the value while it is fresh, then a newly fetched one, or the stale value if fetching fails.
    ///
    /// # Errors
    /// The error of the fetch, if there is no value to use.
    pub async fn get<F>(&self, clock: &impl Clock, fetch: impl FnOnce() -> F) -> Result<Arc<T>, PortError>
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let seen = self.state();
        if let Some(value) = seen.younger_than(self.times.fresh, clock.now()) {
            return Ok(value);
        }
        let (state, error) = self.fetch_if_due(&seen, clock, fetch).await;
        match state.younger_than(self.times.stale, clock.now()) {
            Some(value) => Ok(value),
            None => Err(error.unwrap_or_else(|| PortError::retryable(self.operation, NotDue))),
        }
    }

    /// Returns a value that is newer than `seen`, in which the caller did not find what it needs. `None` if
    /// there is no newer value and the last fetch succeeded.
    ///
    /// # Errors
    /// The error of the fetch, if it is unknown whether there is a newer value.
    pub(crate) async fn get_newer_than<F>(
        &self,
        seen: &Arc<T>,
        clock: &impl Clock,
        fetch: impl FnOnce() -> F,
    ) -> Result<Option<Arc<T>>, PortError>
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let newer = |state: &State<T>| {
            let value = state.younger_than(self.times.stale, clock.now());
            value.filter(|value| !Arc::ptr_eq(value, seen))
        };
        let before = self.state();
        if let Some(value) = newer(&before) {
            return Ok(Some(value));
        }
        let (after, error) = self.fetch_if_due(&before, clock, fetch).await;
        match (newer(&after), after.last_fetch) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some(Fetch { failed: true, .. })) => {
                Err(error.unwrap_or_else(|| PortError::retryable(self.operation, NotDue)))
            }
            (None, _) => Ok(None),
        }
    }

    /// Fetches the value, unless another caller has done so since `seen` or the interval is not over. Returns
    /// the state afterwards, and the error of this caller's own fetch.
    async fn fetch_if_due<F>(
        &self,
        seen: &State<T>,
        clock: &impl Clock,
        fetch: impl FnOnce() -> F,
    ) -> (State<T>, Option<PortError>)
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let _only_fetch = self.fetching.lock().await;
        let current = self.state();
        if current.fetches != seen.fetches || !self.is_due(&current, clock.now()) {
            return (current, None);
        }
        let fetched = fetch().await;
        let now = clock.now();
        let outcome = if fetched.is_ok() { "ok" } else { "failed" };
        counter!("tidings_handshake_fetches_total", "outcome" => outcome).increment(1);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.fetches += 1;
        state.last_fetch = Some(Fetch { at: now, failed: fetched.is_err() });
        let error = match fetched {
            Ok(value) => {
                state.value = Some((Arc::new(value), now));
                None
            }
            Err(error) => {
                let error_chain = shared_telemetry::chain(&error);
                tracing::warn!(error = error_chain, operation = self.operation, "fetch failed");
                Some(error)
            }
        };
        (state.clone(), error)
    }

    fn is_due(&self, state: &State<T>, now: Timestamp) -> bool {
        let interval = match state.younger_than(self.times.stale, now) {
            Some(_) => self.times.interval,
            None => self.times.interval_without_value,
        };
        state.last_fetch.is_none_or(|fetch| now.since(fetch.at) >= interval)
    }

    fn state(&self) -> State<T> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
