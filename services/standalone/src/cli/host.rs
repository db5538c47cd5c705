//! The only place where the command line touches the server.

use std::path::Path;

use super::BadConfiguration;
use super::serve::Settings;
use crate::config::{Config, DEFAULT};

/// Runs the server until it is told to stop. `ready` is called with its address once it answers.
pub(super) fn serve(_config: Config, _ready: impl FnOnce(&str) + Send + 'static) -> anyhow::Result<()> {
    anyhow::bail!("this build has no server")
}

/// The configuration: the file, the environment over it, and the flags over both.
pub(super) fn config(settings: &Settings, data_dir: Option<&Path>) -> anyhow::Result<Config> {
    Config::load(settings.config.as_deref(), environment(settings, data_dir)).map_err(bad)
}

/// The configuration as the server would use it, as TOML or as one JSON object.
pub(super) fn show_config(
    settings: &Settings,
    data_dir: Option<&Path>,
    json: bool,
) -> anyhow::Result<String> {
    // What is wrong with it is said first.
    config(settings, data_dir)?;
    let file = settings.config.as_deref().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
    let table = Config::effective(&file, environment(settings, data_dir)).map_err(bad)?;
    Ok(if json { serde_json::to_string(&table)? } else { toml::to_string(&table)? })
}

/// The commented default configuration file.
pub(super) const fn default_config() -> &'static str {
    DEFAULT
}

fn bad(error: crate::config::ConfigError) -> anyhow::Error {
    BadConfiguration(Box::new(error)).into()
}

/// The environment with the flags over it: a flag is short for its key's variable.
fn environment(settings: &Settings, data_dir: Option<&Path>) -> Vec<(String, String)> {
    // A name or value that is not Unicode is no key's.
    let inherited = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let flags = [
        ("TIDINGS_DATA_DIR", data_dir.map(|path| path.to_string_lossy().into_owned())),
        ("TIDINGS_SERVER__LISTEN", settings.listen.clone()),
        ("TIDINGS_STORE__DURABILITY", settings.durability.clone()),
        ("TIDINGS_CONNECTIONS__LIKE_AWS", settings.like_aws.then(|| "true".to_owned())),
    ];
    let given = flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    inherited.chain(given).collect()
}
