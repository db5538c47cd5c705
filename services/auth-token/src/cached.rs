//! A value that is fetched from elsewhere and kept for a while.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use metrics::counter;
use shared_ports::{Clock, PortError};
use tokio::sync::Mutex;

/// How long a fetched value is kept, and how often it is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheTimes {
    /// How long it is used without asking.
    pub fresh: Duration,
    /// How long it is used while it can't be fetched again.
    pub stale: Duration,
    /// The least time between two fetches while there is a value to use: an attacker who names unknown keys
    /// causes no more than this.
    pub between: Duration,
    /// The same while there is none.
    pub between_without: Duration,
}

impl CacheTimes {
    /// Of key sets.
    pub const KEY_SETS: Self = Self {
        fresh: Duration::from_hours(1),
        stale: Duration::from_hours(24),
        between: Duration::from_mins(1),
        between_without: Duration::from_secs(5),
    };
    /// Of secrets.
    pub const SECRETS: Self = Self { fresh: Duration::from_mins(5), ..Self::KEY_SETS };
}

/// The last attempt to fetch failed, and the next is not due.
#[derive(Debug, thiserror::Error)]
#[error("the last attempt failed, and the next one is not due yet")]
struct NotDue;

#[derive(Debug)]
struct State<T> {
    value: Option<(Arc<T>, Timestamp)>,
    attempt: Option<Attempt>,
    attempts: u64,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    at: Timestamp,
    failed: bool,
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), attempt: self.attempt, attempts: self.attempts }
    }
}

impl<T> State<T> {
    fn at_most(&self, age: Duration, now: Timestamp) -> Option<Arc<T>> {
        let (value, at) = self.value.as_ref()?;
        (now.since(*at) < age).then(|| Arc::clone(value))
    }
}

/// A value that is fetched when it is asked for. Any number of callers that ask at once share one fetch, and
/// none waits for a fetch while the value at hand serves it.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    /// What is fetched, for logs, metrics and errors.
    what: &'static str,
    times: CacheTimes,
    state: RwLock<State<T>>,
    fetching: Mutex<()>,
}

impl<T> Cached<T> {
    pub(crate) fn new(what: &'static str, times: CacheTimes) -> Self {
        let state = State { value: None, attempt: None, attempts: 0 };
        Self { what, times, state: RwLock::new(state), fetching: Mutex::default() }
    }

    /// The value: as it is while it is fresh, fetched anew after that, and stale when that fails.
    pub(crate) async fn get<F>(
        &self,
        clock: &impl Clock,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<T>, PortError>
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let seen = self.state();
        if let Some(value) = seen.at_most(self.times.fresh, clock.now()) {
            return Ok(value);
        }
        let (state, error) = self.fetched(&seen, clock, fetch).await;
        match state.at_most(self.times.stale, clock.now()) {
            Some(value) => Ok(value),
            None => Err(error.unwrap_or_else(|| PortError::retryable(self.what, NotDue))),
        }
    }

    /// A value that is newer than `seen`, which did not have what was looked for. `None` when there is none
    /// and it is known that the last fetch succeeded.
    pub(crate) async fn newer<F>(
        &self,
        seen: &Arc<T>,
        clock: &impl Clock,
        fetch: impl FnOnce() -> F,
    ) -> Result<Option<Arc<T>>, PortError>
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let newer = |state: &State<T>| {
            let value = state.at_most(self.times.stale, clock.now());
            value.filter(|value| !Arc::ptr_eq(value, seen))
        };
        let before = self.state();
        if let Some(value) = newer(&before) {
            return Ok(Some(value));
        }
        let (after, error) = self.fetched(&before, clock, fetch).await;
        match (newer(&after), after.attempt) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some(Attempt { failed: true, .. })) => {
                Err(error.unwrap_or_else(|| PortError::retryable(self.what, NotDue)))
            }
            (None, _) => Ok(None),
        }
    }

    /// The state after a fetch: one's own, that of another caller in the meantime, or none when none is due.
    async fn fetched<F>(
        &self,
        seen: &State<T>,
        clock: &impl Clock,
        fetch: impl FnOnce() -> F,
    ) -> (State<T>, Option<PortError>)
    where
        F: Future<Output = Result<T, PortError>>,
    {
        let _alone = self.fetching.lock().await;
        let present = self.state();
        if present.attempts != seen.attempts || !self.is_due(&present, clock.now()) {
            return (present, None);
        }
        let fetched = fetch().await;
        let now = clock.now();
        let outcome = if fetched.is_ok() { "ok" } else { "failed" };
        counter!("tidings_handshake_fetches_total", "outcome" => outcome).increment(1);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.attempts += 1;
        state.attempt = Some(Attempt { at: now, failed: fetched.is_err() });
        let error = match fetched {
            Ok(value) => {
                state.value = Some((Arc::new(value), now));
                None
            }
            Err(error) => {
                tracing::warn!(error = shared_telemetry::chain(&error), what = self.what, "a fetch failed");
                Some(error)
            }
        };
        (state.clone(), error)
    }

    fn is_due(&self, state: &State<T>, now: Timestamp) -> bool {
        let between = match state.at_most(self.times.stale, now) {
            Some(_) => self.times.between,
            None => self.times.between_without,
        };
        state.attempt.is_none_or(|attempt| now.since(attempt.at) >= between)
    }

    fn state(&self) -> State<T> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
