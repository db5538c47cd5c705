//! `tidings demo`: prints the steps of the [demonstration](crate::demo).

use std::time::Instant;

use clap::Args;

use super::{Exit, Output, Tone};
use crate::demo;

/// Show that every promise is kept, on a temporary server
#[derive(Debug, Args)]
pub(super) struct Demo {}

impl Demo {
    pub(super) async fn run(self, output: &mut Output) -> anyhow::Result<Exit> {
        let began = Instant::now();
        if !output.is_json() {
            let count = demo::NOTIFICATIONS;
            output
                .line(format!("One server in a temporary directory, one user, {count} notifications.\n"))?;
        }
        let mut broken = None;
        let kept = demo::run(|step| {
            if !step.kept {
                broken = Some(step.promise);
            }
            output.result(step, |output| {
                let (tone, mark) = if step.kept { (Tone::Good, "✓") } else { (Tone::Bad, "✗") };
                let mark = output.paint(tone, mark);
                let promise = output.paint(Tone::Strong, step.promise);
                format!("{mark} {}. {promise}\n     {}", step.step, step.seen)
            })?;
            Ok(())
        })
        .await?;
        if let Some(promise) = broken {
            anyhow::bail!("broken promise: {promise}");
        }
        if !output.is_json() {
            output.line(format!("\nAll promises kept, in {:.1} s.", began.elapsed().as_secs_f64()))?;
        }
        Ok(if kept { Exit::Ok } else { Exit::Failure })
    }
}
