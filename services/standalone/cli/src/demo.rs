//! The demonstration: each promise is shown, and checked, on a server of its own.

mod proxy;
mod stage;

use std::time::{Duration, Instant};

use serde::Serialize;

use self::stage::{HELD, LIVE, STREAM, Stage};

/// A promise, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its place in the story.
    pub step: u32,
    /// What is promised.
    pub promise: &'static str,
    /// What was seen.
    pub seen: String,
    /// Whether that is what was promised.
    pub kept: bool,
    /// How long it took.
    pub millis: u64,
}

/// Tells the story, step by step; ends at the first promise that is not kept.
///
/// # Errors
/// The server could not be started, or the story could not go on for another reason.
pub async fn run(mut show: impl FnMut(&Step) -> anyhow::Result<()>) -> anyhow::Result<bool> {
    let mut narrator = Narrator { step: 0, began: Instant::now(), show: &mut show };
    let mut stage = Stage::build().await?;
    let keeps = narrator.tell(
        "A notification is accepted when it is on disk, also while its user is away",
        stage.send_while_away().await?,
    )? && narrator
        .tell("When the user comes, everything held arrives, in order", stage.connect_and_receive().await?)?
        && narrator
            .tell("While the user is connected, notifications arrive at once", stage.send_live().await?)?
        && narrator.tell(
            "A producer may send again what it is not sure of: it arrives once",
            stage.send_again().await?,
        )?
        && narrator.tell(
            "A connection cut in mid-stream loses nothing, repeats nothing, and keeps the order",
            stage.cut_in_mid_stream().await?,
        )?
        && narrator.tell(
            "A server killed without warning (kill -9) loses nothing it has accepted",
            stage.kill_the_server().await?,
        )?;
    stage.close().await;
    Ok(keeps)
}

/// How many notifications the whole story takes, for an introduction.
pub const NOTIFICATIONS: usize = HELD + LIVE + 1 + 2 * STREAM;

/// What a part of the story found: what was seen, or what should not have been.
type Seen = Result<String, String>;

struct Narrator<'a, F> {
    step: u32,
    began: Instant,
    show: &'a mut F,
}

impl<F: FnMut(&Step) -> anyhow::Result<()>> Narrator<'_, F> {
    fn tell(&mut self, promise: &'static str, seen: Seen) -> anyhow::Result<bool> {
        self.step += 1;
        let kept = seen.is_ok();
        let (Ok(seen) | Err(seen)) = seen;
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began = Instant::now();
        (self.show)(&Step { step: self.step, promise, seen, kept, millis })?;
        Ok(kept)
    }
}

/// How long anything may take before it counts as not happening.
const PATIENCE: Duration = Duration::from_secs(5);
