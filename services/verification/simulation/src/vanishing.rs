//! Callers that go away: a future of a faulty user is dropped at one of its awaits.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::mutant::Mutant;
use crate::simulation::Simulation;

/// Most awaits after which a caller goes away.
const MOST_AWAITS: u64 = 12;

/// Waits for a future. Returns `None` if the caller goes away before, as the seed decides; the future is dropped then.
pub(crate) async fn vanishing<T>(
    sim: &Simulation,
    user: usize,
    future: impl Future<Output = T>,
) -> Option<T> {
    let is_faulty = sim.plan.users.get(user).is_some_and(|user| user.is_faulty) && !sim.faults_stopped();
    // The mutant does harm only when runs are dropped.
    let often = sim.has_mutant(Mutant::DroppedRunCompletes);
    let goes_away = is_faulty && sim.random.chance(if often { 300 } else { sim.plan.vanishing_callers });
    let mut awaits = if goes_away { sim.random.between(1, MOST_AWAITS) } else { u64::MAX };
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            awaits -= 1;
            if awaits == 0 { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}
