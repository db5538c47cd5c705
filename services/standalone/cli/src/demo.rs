//! The demonstration: shows and checks each promise on a temporary server.

mod proxy;
mod scenario;

use std::time::{Duration, Instant};

use serde::Serialize;

use self::scenario::{HELD, LIVE, STREAM, Scenario};

/// A step of the demonstration: one promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Number of the step, from one.
    pub step: u32,
    /// The promise.
    pub promise: &'static str,
    /// Observation.
    pub seen: String,
    /// True if the observation fulfils the promise.
    pub kept: bool,
    /// Duration of the step in milliseconds.
    pub millis: u64,
}

/// Runs the steps and passes each to `show`. Returns true if every promise was kept, and stops at the first
/// broken one.
///
/// # Errors
/// An error if the server does not start or a step can't be carried out.
pub async fn run(mut show: impl FnMut(&Step) -> anyhow::Result<()>) -> anyhow::Result<bool> {
    let mut steps = Steps { number: 0, began: Instant::now(), show: &mut show };
    let mut scenario = Scenario::build().await?;
    let kept = steps.report(
        "An accepted notification is on disk, even while its user is offline",
        scenario.send_while_offline().await?,
    )? && steps.report(
        "When the user connects, all held notifications arrive in order",
        scenario.connect_and_receive().await?,
    )? && steps
        .report("While the user is connected, notifications arrive at once", scenario.send_live().await?)?
        && steps.report(
            "A producer can safely repeat a notification: it arrives once",
            scenario.send_again().await?,
        )?
        && steps.report(
            "A connection that breaks in mid-stream loses nothing, repeats nothing and keeps the order",
            scenario.cut_in_mid_stream().await?,
        )?
        && steps.report(
            "A server killed without warning (kill -9) loses no accepted notification",
            scenario.kill_the_server().await?,
        )?;
    scenario.close().await;
    Ok(kept)
}

/// Number of notifications in all steps.
pub const NOTIFICATIONS: usize = HELD + LIVE + 1 + 2 * STREAM;

/// Observation of a step: of a kept promise, or of a broken one.
type Observation = Result<String, String>;

/// Numbers, times and shows the steps.
struct Steps<'a, F> {
    number: u32,
    began: Instant,
    show: &'a mut F,
}

impl<F: FnMut(&Step) -> anyhow::Result<()>> Steps<'_, F> {
    fn report(&mut self, promise: &'static str, observation: Observation) -> anyhow::Result<bool> {
        self.number += 1;
        let kept = observation.is_ok();
        let (Ok(seen) | Err(seen)) = observation;
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began = Instant::now();
        (self.show)(&Step { step: self.number, promise, seen, kept, millis })?;
        Ok(kept)
    }
}

/// Time after which a notification counts as missing.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(5);
