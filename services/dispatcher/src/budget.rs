//! The time that a run has.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::future::{Either, select};
use shared_ports::{Clock, Moment};

/// The time that the runs of a batch have, which gets shorter once another run of the batch is complete.
///
/// The batch is answered, and the groups of all its entries are free again, only when all its runs are over.
/// So a run that takes long must not keep the others waiting.
#[derive(Debug)]
pub(crate) struct Budget(Mutex<Ends>);

/// The time that one run has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunTime<'a> {
    /// Moment after which nothing is attempted again or begun.
    retries: Moment,
    /// The budget of the batch, if others wait for the run.
    batch: Option<&'a Budget>,
}

impl<'a> RunTime<'a> {
    /// Makes the time of a run that nobody waits for.
    pub(crate) const fn alone(retries: Moment) -> Self {
        Self { retries, batch: None }
    }

    /// Makes the time of a run of a batch, with a limit of its own.
    pub(crate) const fn within(batch: &'a Budget, retries: Moment) -> Self {
        Self { retries, batch: Some(batch) }
    }

    /// Returns the moment after which nothing is attempted again or begun.
    pub(crate) fn retries(&self) -> Moment {
        self.batch.map_or(self.retries, |batch| self.retries.min(batch.moments().retries))
    }

    /// Returns true if others may wait for the run.
    pub(crate) const fn is_shared(&self) -> bool {
        self.batch.is_some()
    }
}

#[derive(Debug)]
struct Ends {
    moments: Moments,
    /// The tasks to wake when the moments change.
    waiting: Vec<Waker>,
}

/// Moments within the time of a run, each later than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moments {
    /// Moment after which no failed push is attempted again, and nothing new is begun.
    pub(crate) retries: Moment,
    /// Moment at which the run is cancelled.
    pub(crate) runs: Moment,
    /// Moment at which everything after the run is cancelled too.
    pub(crate) answer: Moment,
}

impl Moments {
    fn earlier(self, other: Self) -> Self {
        Self {
            retries: self.retries.min(other.retries),
            runs: self.runs.min(other.runs),
            answer: self.answer.min(other.answer),
        }
    }
}

impl Budget {
    /// Makes the budget of the runs of one batch.
    pub(crate) const fn new(moments: Moments) -> Self {
        Self(Mutex::new(Ends { moments, waiting: Vec::new() }))
    }

    /// Returns the present moments.
    pub(crate) fn moments(&self) -> Moments {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).moments
    }

    /// Leaves at most this time, from now on, to all runs.
    pub(crate) fn shorten(&self, now: Moment, patience: Patience) {
        let Patience { retries, runs, answer } = patience;
        let left = Moments { retries: now.plus(retries), runs: now.plus(runs), answer: now.plus(answer) };
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shorter = ends.moments.earlier(left);
        if shorter != ends.moments {
            ends.moments = shorter;
            ends.waiting.drain(..).for_each(Waker::wake);
        }
    }

    /// Waits until the moment that `which` selects.
    pub(crate) async fn over(&self, clock: &impl Clock, which: fn(&Moments) -> Moment) {
        loop {
            let until = which(&self.moments());
            let left = until.since(clock.moment());
            if left.is_zero() {
                return;
            }
            let changed = poll_fn(|context| {
                let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if which(&ends.moments) != until {
                    return Poll::Ready(());
                }
                ends.waiting.push(context.waker().clone());
                Poll::Pending
            });
            if let Either::Left(_) = select(pin!(clock.sleep(left)), pin!(changed)).await {
                return;
            }
        }
    }
}

/// The time that runs have left once another run of their batch is complete, each longer than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Time in which failed pushes are attempted again.
    pub retries: Duration,
    /// Time after which unfinished runs are cancelled.
    pub runs: Duration,
    /// Time after which the batch is answered.
    pub answer: Duration,
}

impl Patience {
    /// A patience without end.
    pub const UNLIMITED: Self = Self { retries: Duration::MAX, runs: Duration::MAX, answer: Duration::MAX };
}

impl Default for Patience {
    /// About a second for attempts, and less than two until the batch is answered.
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self { retries: millis(1_000), runs: millis(1_400), answer: millis(1_900) }
    }
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::Timestamp;
    use futures_util::FutureExt as _;

    use super::*;

    /// A clock that stands still and whose sleeps never end.
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(5)
        }

        async fn sleep(&self, _: Duration) {
            std::future::pending::<()>().await;
        }
    }

    #[test]
    fn shortened_budget_wakes_its_runs() {
        let at = Moment::from_millis;
        let budget = Budget::new(Moments { retries: at(90), runs: at(95), answer: at(99) });
        let mut over = pin!(budget.over(&Stopped, |moments| moments.runs));
        assert_eq!(over.as_mut().now_or_never(), None);
        budget.shorten(at(0), Patience { retries: Duration::ZERO, ..Patience::UNLIMITED });
        assert_eq!(budget.moments(), Moments { retries: at(0), runs: at(95), answer: at(99) });
        assert_eq!(over.as_mut().now_or_never(), None);
        budget.shorten(at(0), Patience { runs: Duration::from_millis(5), ..Patience::UNLIMITED });
        assert_eq!(over.now_or_never(), Some(()));
    }
}
