//! `tidings config`

use clap::Subcommand;

use super::serve::Settings;
use super::{Exit, Globals, Output, Tone, host};

/// Check, show and explain the server's configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Say whether the configuration is good; exit 64 if it is not
    Check(Settings),
    /// Show every setting as the server would use it, without secrets
    Show(Settings),
    /// Print the commented default configuration file
    Default,
}

impl Config {
    pub(super) fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let data_dir = globals.data_dir.as_deref();
        match self {
            Self::Check(settings) => {
                host::check_config(&settings, data_dir)?;
                output.result(&serde_json::json!({ "ok": true }), |output| {
                    output.paint(Tone::Good, "the configuration is good")
                })?;
            }
            Self::Show(settings) => {
                let shown = host::show_config(&settings, data_dir, output.is_json())?;
                output.line(shown.trim_end())?;
            }
            Self::Default => output.line(host::default_config().trim_end())?,
        }
        Ok(Exit::Ok)
    }
}
