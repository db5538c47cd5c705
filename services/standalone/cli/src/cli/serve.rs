//! `tidings serve`
use std::path::PathBuf;

use clap::Args;
use tidings_gateway::config::Defaults;

use super::{Exit, Globals, Output, host};

/// Run the server. Every setting can stand in the configuration file, see `tidings config default`.
#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

/// Where the server's settings come from.
#[derive(Debug, Default, Clone, Args)]
pub(super) struct Settings {
    /// The configuration file
    #[arg(long, env = "TIDINGS_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Begin from defaults with which one can log in to the page and talk to each other at once; on this machine alone
    #[arg(long)]
    pub(super) development: bool,
    /// The address to listen on; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// When a notification counts as accepted
    #[arg(long, value_name = "MODE")]
    pub(super) durability: Option<String>,
    /// Enforce API Gateway's limits
    #[arg(long)]
    pub(super) like_aws: bool,
}

impl Settings {
    /// What settings are that nobody sets.
    pub(super) fn defaults(&self) -> Defaults {
        if self.development { Defaults::Development } else { Defaults::General }
    }
}

impl Serve {
    pub(super) fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        host::serve(&self.settings, globals.data_dir.as_deref(), output)?;
        Ok(Exit::Ok)
    }
}
