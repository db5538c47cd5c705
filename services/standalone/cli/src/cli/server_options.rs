//! Options that determine a server's configuration, for every command that reads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use tidings_gateway::config::{Config, ConfigError, Defaults, UnknownVariable};

use super::{BadConfiguration, Output, unknown_environment};

/// Options of the server's configuration.
#[derive(Debug, Default, Clone, Args)]
pub(super) struct ServerOptions {
    /// Configuration file
    #[arg(long, env = "TIDINGS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start from development defaults: users to log in as and guests, on this machine only
    #[arg(long)]
    development: bool,
    /// Address to listen on: IP:PORT, localhost:PORT or a PORT on 127.0.0.1; port 0 is any free port
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Durability of accepted notifications: synced (on disk) or buffered (in the operating system's memory)
    #[arg(long, value_name = "MODE")]
    durability: Option<String>,
    /// Enforce API Gateway's limits
    #[arg(long)]
    like_aws: bool,
}

impl ServerOptions {
    /// Loads the configuration: the defaults, then the file, then the environment, then the options.
    pub(super) fn load(&self, data_dir: Option<&Path>) -> Result<Config, BadConfiguration> {
        Config::load(self.defaults(), self.config.as_deref(), self.environment(data_dir)).map_err(bad)
    }

    /// Loads the configuration as [`ServerOptions::load`] does, and warns about settings under a former name and
    /// variables without effect.
    pub(super) fn load_with_warnings(
        &self,
        data_dir: Option<&Path>,
        output: &mut Output,
    ) -> Result<Config, BadConfiguration> {
        let config = self.load(data_dir)?;
        config.deprecated.iter().for_each(|warning| output.warn(warning));
        for unknown in unknown_server_variables(&config) {
            output.warn(&unknown.to_string());
        }
        Ok(config)
    }

    /// Returns every setting with the value that [`ServerOptions::load`] would use.
    pub(super) fn effective(&self, data_dir: Option<&Path>) -> Result<toml::Table, BadConfiguration> {
        Config::effective(self.defaults(), self.config.as_deref(), self.environment(data_dir)).map_err(bad)
    }

    fn defaults(&self) -> Defaults {
        if self.development { Defaults::Development } else { Defaults::General }
    }

    /// Returns the environment, followed by the options as the variables that have the same effect.
    fn environment(&self, data_dir: Option<&Path>) -> impl Iterator<Item = (String, String)> {
        let options = [
            ("TIDINGS_DATA_DIR", data_dir.map(|path| path.display().to_string())),
            ("TIDINGS_SERVER__LISTEN", self.listen.clone()),
            ("TIDINGS_STORE__DURABILITY", self.durability.clone()),
            ("TIDINGS_CONNECTIONS__LIKE_AWS", self.like_aws.then(|| "true".to_owned())),
        ];
        // No setting takes a value that is not Unicode.
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let options = options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        std::env::vars_os().filter_map(text).chain(options)
    }
}

/// Returns the variables of the environment that look like settings and have no effect on a server.
pub(super) fn unknown_server_variables(config: &Config) -> Vec<UnknownVariable> {
    let authorizer = config.authorizer();
    let secrets: Vec<_> =
        authorizer.secrets().into_iter().filter_map(|name| name.strip_prefix("env:")).collect();
    unknown_environment().into_iter().filter(|unknown| !secrets.contains(&unknown.name.as_str())).collect()
}

fn bad(error: ConfigError) -> BadConfiguration {
    BadConfiguration(Box::new(error))
}
