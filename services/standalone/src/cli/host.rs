//! The only place where the command line touches the server.

use std::path::Path;

use anyhow::bail;

use super::serve::Settings;

const NO_SERVER: &str = "this build has no server";

/// Runs the server until it is told to stop.
pub(super) fn serve(_settings: &Settings, _data_dir: Option<&Path>) -> anyhow::Result<()> {
    bail!(NO_SERVER)
}

/// Reads the configuration as the server would.
pub(super) fn check_config(_settings: &Settings, _data_dir: Option<&Path>) -> anyhow::Result<()> {
    bail!(NO_SERVER)
}

/// The configuration as the server would use it.
pub(super) fn show_config(
    _settings: &Settings,
    _data_dir: Option<&Path>,
    _json: bool,
) -> anyhow::Result<String> {
    bail!(NO_SERVER)
}

/// The commented default configuration file.
pub(super) const fn default_config() -> &'static str {
    ""
}
