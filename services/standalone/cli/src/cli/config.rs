//! `tidings config`

use clap::Subcommand;
use tidings_gateway::app::check_files;
use tidings_gateway::config::DEFAULT;

use super::server_options::ServerOptions;
use super::{BadConfiguration, Exit, Globals, Output, Tone};

/// Check, show and explain the server's configuration
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Check the configuration and the files it names; exit with 64 if something is wrong
    Check(ServerOptions),
    /// Show every setting with the value that the server would use, without secrets
    Show(ServerOptions),
    /// Print the default configuration file, with comments
    Default,
}

impl Config {
    pub(super) fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let data_dir = globals.data_dir.as_deref();
        match self {
            Self::Check(options) => {
                let config = options.load_with_warnings(data_dir, output)?;
                check_files(&config).map_err(|error| BadConfiguration(Box::new(error)))?;
                output.result(&serde_json::json!({ "ok": true }), |output| {
                    output.paint(Tone::Good, "the configuration is valid")
                })?;
            }
            Self::Show(options) => {
                options.load_with_warnings(data_dir, output)?;
                let table = options.effective(data_dir)?;
                if output.is_json() {
                    output.value(&table)?;
                } else {
                    output.line(toml::to_string(&table)?.trim_end())?;
                }
            }
            Self::Default => output.line(DEFAULT.trim_end())?,
        }
        Ok(Exit::Ok)
    }
}
