//! The configuration: one file over the defaults, and environment variables over both.
//!
//! `default.toml` has every key with its default and its meaning. It is the list of known keys too, so that an unknown
//! key is reported with the key that was probably meant. A section that was renamed is accepted under its former name
//! for one release; [`Config::deprecated`] has the warnings.

mod bounds;
mod client_messages;
mod defaults;
mod development;
mod duration;
mod error;
mod handshake;
mod keys;
mod limits;
mod listen_address;
mod login;
mod parts;
mod proxies;
mod renamed;
mod sections;
mod table;
mod variables;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use client_messages::{
    ClientMessagesConfig, Confirm, DefaultFormat, HubsConfig, InvalidMembers, InvalidRate, Members,
    OptionalRate, TooMany,
};
pub use duration::{DurationSetting, InvalidDuration, OptionalDuration};
pub use error::{ConfigError, Origin};
pub use handshake::HandshakeConfig;
pub use keys::{InvalidAllowance, KeysConfig, OptionalAllowance};
pub use limits::LimitsConfig;
pub use listen_address::MetricsListen;
pub use login::LoginConfig;
pub use sections::{
    ConnectionsConfig, DispatcherConfig, HistoryConfig, LogConfig, LogFormat, PagesConfig, ServerConfig,
    StoreConfig, TokensConfig,
};
pub use variables::{UnknownVariable, unknown_variables};

/// Every key with its default and its meaning.
pub const DEFAULT: &str = include_str!("default.toml");

/// The defaults that differ in development.
pub const DEVELOPMENT: &str = include_str!("development.toml");

/// The values of settings that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Defaults {
    /// Those of `default.toml`.
    #[default]
    General,
    /// The same with `development.toml` over them, so that people can log in and talk to each other at once.
    Development,
}

/// The whole configuration. `default.toml` explains each key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Warnings about settings given under a former name, for the log.
    #[serde(skip)]
    pub deprecated: Vec<String>,
    /// True if the defaults are those for development.
    #[serde(skip)]
    pub development: bool,
    /// The directory with everything durable.
    pub data_dir: PathBuf,
    /// The HTTP surface.
    pub server: ServerConfig,
    /// The web pages.
    pub pages: PagesConfig,
    /// Limits of keys.
    pub keys: KeysConfig,
    /// Limits of clients that are not known yet.
    pub limits: LimitsConfig,
    /// Logins that need no account.
    pub login: LoginConfig,
    /// Methods and rules of handshakes.
    pub handshake: HandshakeConfig,
    /// Connect tokens.
    pub tokens: TokensConfig,
    /// Limits of connections.
    pub connections: ConnectionsConfig,
    /// Messages between clients.
    pub client_messages: ClientMessagesConfig,
    /// The hubs.
    pub hubs: HubsConfig,
    /// Limits of the dispatcher's runs.
    pub dispatcher: DispatcherConfig,
    /// The store.
    pub store: StoreConfig,
    /// The history.
    pub history: HistoryConfig,
    /// Logs.
    pub log: LogConfig,
}

impl Config {
    /// Reads the configuration from `defaults`, `file` over them, and `environment` over both.
    ///
    /// # Errors
    /// [`ConfigError`] with the file or the key.
    pub fn load(
        defaults: Defaults,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::from_merged(merge(defaults, &read(file)?, environment)?)
    }

    /// Returns every setting as [`Config::load`] reads it, by section.
    ///
    /// # Errors
    /// [`ConfigError`] with the file or the key.
    pub fn effective(
        defaults: Defaults,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<toml::Table, ConfigError> {
        let merged = merge(defaults, &read(file)?, environment)?;
        let mut table = merged.table.clone();
        let config = Self::from_merged(merged)?;
        if let Some(listen) = table.get_mut("server").and_then(|server| server.get_mut("listen")) {
            *listen = toml::Value::String(config.server.listen.to_string());
        }
        Ok(table)
    }

    /// Reads the configuration from the text of a file and from `environment`, over the general defaults.
    ///
    /// # Errors
    /// [`ConfigError`] with the key.
    pub fn from_text(
        file: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::from_merged(merge(Defaults::General, file, environment)?)
    }

    fn from_merged(Merged { table, deprecated, development }: Merged) -> Result<Self, ConfigError> {
        let config: Self = table.try_into().map_err(|source| ConfigError::Value(Box::new(source)))?;
        let config = Self { deprecated, development, ..config };
        config.validate()?;
        Ok(config)
    }

    /// Checks values against their bounds and against each other. The constructors call it; call it again after a flag
    /// has changed a value.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the key and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(ConfigError::invalid("data_dir", "it is empty; set a directory"));
        }
        self.server.validate()?;
        self.validate_limits()?;
        self.validate_development()?;
        self.tokens.validate()?;
        self.validate_handshake()?;
        self.connections.validate()?;
        self.client_messages.validate()?;
        self.hubs.validate()?;
        self.dispatcher.validate()?;
        self.store.validate()?;
        self.history.validate()?;
        self.log.validate()
    }
}

/// All settings as one table.
struct Merged {
    table: toml::Table,
    /// Warnings about settings given under a former name.
    deprecated: Vec<String>,
    /// True if the defaults are those for development.
    development: bool,
}

/// Reads the file, if there is one.
fn read(file: Option<&Path>) -> Result<String, ConfigError> {
    let Some(path) = file else { return Ok(String::new()) };
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Merges the text of the file and the environment over the defaults.
fn merge(
    defaults: Defaults,
    file: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Merged, ConfigError> {
    let mut table = table::defaults()?;
    let mut deprecated = Vec::new();
    if defaults == Defaults::Development {
        let changes = DEVELOPMENT.parse().map_err(|source| ConfigError::Syntax(Box::new(source)))?;
        table::merge_file(&mut table, changes)?;
    }
    let mut overrides = file.parse().map_err(|source| ConfigError::Syntax(Box::new(source)))?;
    renamed::in_file(&mut overrides, &mut deprecated)?;
    table::merge_file(&mut table, overrides)?;
    let environment = renamed::in_environment(environment, &mut deprecated)?;
    table::merge_environment(&mut table, environment)?;
    Ok(Merged { table, deprecated, development: defaults == Defaults::Development })
}

#[cfg(test)]
mod tests;
