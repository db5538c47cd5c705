//! What can be wrong with a configuration, with the key named.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File,
    /// This environment variable.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the configuration file"),
            Self::Environment(name) => f.write_str(name),
        }
    }
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("the configuration file is not valid TOML")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A key that does not exist.
    #[error("{origin} has the key \"{key}\", which does not exist{}", Hint(suggestion.as_deref()))]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The key, with dots.
        key: String,
        /// The key that may have been meant.
        suggestion: Option<String>,
    },
    /// A value of another type than the key's.
    #[error("{origin} has {found} for the key \"{key}\"; it must be {expected}")]
    WrongType {
        /// Where it stands.
        origin: Origin,
        /// The key, with dots.
        key: String,
        /// What it is.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A value that is not of the form its key asks for. The source names the key.
    #[error("a value of the configuration is not valid")]
    Value(#[source] Box<toml::de::Error>),
    /// A value that is not allowed.
    #[error("the key \"{key}\" is not valid: {problem}")]
    Invalid {
        /// The key, with dots.
        key: &'static str,
        /// What is wrong, and what is allowed.
        problem: String,
    },
}

impl ConfigError {
    pub(super) fn invalid(key: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { key, problem: problem.into() }
    }
}

struct Hint<'a>(Option<&'a str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "; \"{key}\" may be meant"),
            None => f.write_str("; `tidings config default` shows those that do"),
        }
    }
}
