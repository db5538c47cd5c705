//! Functions of Lambda.
//!
//! | behaviour | source |
//! |---|---|
//! | invocations of all functions share the account's concurrency; beyond it they are throttled | <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html> |
//! | an invocation that exceeds the timeout is stopped, wherever it is | <https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html> |
//! | a new environment starts first | <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html> |

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use verification_random::SeededRandom;

/// A function's configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    /// Longest duration of an invocation.
    pub(crate) timeout: Duration,
    /// Cold starts of a thousand invocations.
    pub(crate) cold_starts: u64,
    /// Crashes of a thousand invocations.
    pub(crate) crashes: u64,
}

/// Reasons for which an invocation has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvokeError {
    /// The timeout passed.
    TimedOut,
    /// The environment crashed.
    Crashed,
}

/// The concurrency of an account.
#[derive(Debug)]
pub(crate) struct Account(Arc<Semaphore>);

impl Account {
    /// Makes an account that runs this number of invocations at a time.
    pub(crate) fn new(concurrency: usize) -> Self {
        Self(Arc::new(Semaphore::new(concurrency)))
    }

    /// Begins an invocation, or throttles it.
    pub(crate) fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// Runs an invocation. The work is dropped, wherever it is, when the timeout passes or the environment crashes.
///
/// # Errors
/// [`InvokeError`] if there is no answer.
pub(crate) async fn invoke<T, F: Future<Output = T>>(
    function: Function,
    random: &SeededRandom,
    faults: bool,
    work: impl FnOnce() -> F,
) -> Result<T, InvokeError> {
    if random.chance(function.cold_starts) {
        sleep(random.millis(200, 1_200)).await;
    }
    let crash = (faults && random.chance(function.crashes)).then(|| random.millis(1, 3_000));
    let work = pin!(work());
    let ends = crash.unwrap_or(function.timeout).min(function.timeout);
    match select(work, pin!(sleep(ends))).await {
        Either::Left((answer, _)) => Ok(answer),
        Either::Right(_) if ends < function.timeout => Err(InvokeError::Crashed),
        Either::Right(_) => Err(InvokeError::TimedOut),
    }
}
