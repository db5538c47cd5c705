//! `tidings serve`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::output::columns;
use super::{Exit, Globals, Output, Tone, host};

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

impl Serve {
    pub(super) fn run(self, globals: &Globals, mut output: Output) -> anyhow::Result<Exit> {
        let config = host::config(&self.settings, globals.data_dir.as_deref())?;
        let data_dir = config.data_dir.display().to_string();
        host::serve(config, move |url| {
            let value = json!({ "url": url, "dataDir": data_dir });
            let said = output.result(&value, |output| {
                let key = Path::new(&data_dir).join("api-key").display().to_string();
                format!(
                    "{} on {url}\n{}",
                    output.paint(Tone::Good, "listening"),
                    columns(&[vec!["data".to_owned(), data_dir.clone()], vec!["API key".to_owned(), key]])
                )
            });
            // Whoever started the server and does not listen to it has it all the same.
            drop(said);
        })?;
        Ok(Exit::Ok)
    }
}
