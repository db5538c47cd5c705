//! The configuration: one file, overridden by the environment.
//!
//! `default.toml` has every key with its default and says what it does; it is what a key is compared
//! with, so that a wrong one is named together with the one that was meant.

mod clients;
mod error;
mod handshake;
mod login;
mod sections;
mod span;
mod table;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use clients::{
    DefaultFormat, HubsConfig, InvalidMembers, InvalidRate, Members, OptionalRate, SendingConfig, TooMany,
};
pub use error::{ConfigError, Origin};
pub use handshake::HandshakeConfig;
pub use login::LoginConfig;
pub use sections::{
    ConnectionsConfig, DispatcherConfig, HistoryConfig, LogConfig, LogFormat, PagesConfig, ServerConfig,
    StoreConfig, TokensConfig,
};
pub use span::{InvalidSpan, OptionalSpan, Span};

/// Every key with its default, and what it does.
pub const DEFAULT: &str = include_str!("default.toml");

/// What is another default in development.
pub const DEVELOPMENT: &str = include_str!("development.toml");

/// What settings are that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Defaults {
    /// Those of `default.toml`.
    #[default]
    General,
    /// The same with `development.toml` laid over them: people can log in and talk to each other at once.
    Development,
}

/// The whole configuration. See `default.toml` for what each key does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where everything durable is.
    pub data_dir: PathBuf,
    /// The HTTP surface.
    pub server: ServerConfig,
    /// The web pages.
    pub pages: PagesConfig,
    /// Who may log in without an account.
    pub login: LoginConfig,
    /// How handshakes are decided.
    pub handshake: HandshakeConfig,
    /// Connect tokens.
    pub tokens: TokensConfig,
    /// The limits of connections.
    pub connections: ConnectionsConfig,
    /// What clients may send to each other.
    pub sending: SendingConfig,
    /// The hubs.
    pub hubs: HubsConfig,
    /// The limits of runs.
    pub dispatcher: DispatcherConfig,
    /// The store.
    pub store: StoreConfig,
    /// The history.
    pub history: HistoryConfig,
    /// Logs.
    pub log: LogConfig,
}

impl Config {
    /// Reads `file`, if one is given, over `defaults`, and what `environment` overrides of both.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file or the key.
    pub fn load(
        defaults: Defaults,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::from_table(merge(defaults, &read(file)?, environment)?)
    }

    /// Every setting as [`Config::load`] would take it, by section.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file or the key.
    pub fn effective(
        defaults: Defaults,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<toml::Table, ConfigError> {
        let table = merge(defaults, &read(file)?, environment)?;
        Self::from_table(table.clone())?;
        Ok(table)
    }

    /// What the text of a file and the environment say.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn from_text(
        file: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::from_table(merge(Defaults::General, file, environment)?)
    }

    fn from_table(table: toml::Table) -> Result<Self, ConfigError> {
        let config: Self = table.try_into().map_err(|source| ConfigError::Value(Box::new(source)))?;
        config.validate()?;
        Ok(config)
    }

    /// Checks what no single value's form can tell. Called by the constructors; call it again after a
    /// flag has changed a value.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] naming the key and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(ConfigError::invalid("data_dir", "it is empty; give a directory"));
        }
        self.server.validate()?;
        self.validate_login()?;
        self.tokens.validate()?;
        self.validate_handshake()?;
        self.connections.validate()?;
        self.hubs.validate()?;
        self.dispatcher.validate()?;
        self.store.validate()?;
        self.history.validate()?;
        self.log.validate()
    }
}

fn read(file: Option<&Path>) -> Result<String, ConfigError> {
    let Some(path) = file else { return Ok(String::new()) };
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// The defaults with the file's text and the environment laid over them.
fn merge(
    defaults: Defaults,
    file: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<toml::Table, ConfigError> {
    let mut table = table::defaults()?;
    if defaults == Defaults::Development {
        let changes = DEVELOPMENT.parse().map_err(|source| ConfigError::Syntax(Box::new(source)))?;
        table::merge_file(&mut table, changes)?;
    }
    let overrides = file.parse().map_err(|source| ConfigError::Syntax(Box::new(source)))?;
    table::merge_file(&mut table, overrides)?;
    table::merge_environment(&mut table, environment)?;
    Ok(table)
}

#[cfg(test)]
mod tests;
