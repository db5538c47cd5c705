//! `tidings demo`

use clap::Args;

use super::{Exit, Output};

/// See the promises kept, on a server of its own that is gone afterwards.
#[derive(Debug, Args)]
pub(super) struct Demo {}

impl Demo {
    pub(super) async fn run(self, _output: &mut Output) -> anyhow::Result<Exit> {
        tokio::task::yield_now().await;
        anyhow::bail!("this build has no server")
    }
}
