//! Errors of the configuration. Each names the file, the variable or the key.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File,
    /// An environment variable of this name.
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

/// Reasons for which a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The file is not valid TOML.
    #[error("the configuration file is not valid TOML")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A key does not exist.
    #[error("{origin} has the key \"{key}\", which does not exist{}", Hint(suggestion.as_deref()))]
    UnknownKey {
        /// The source of the value.
        origin: Origin,
        /// The key with its section: `server.listen`.
        key: String,
        /// The existing key that is most like it.
        suggestion: Option<String>,
    },
    /// A value has another type than its key.
    #[error("{origin} has {found} for the key \"{key}\"; it must be {expected}")]
    WrongType {
        /// The source of the value.
        origin: Origin,
        /// The key with its section: `server.listen`.
        key: String,
        /// The value.
        found: String,
        /// The required type.
        expected: &'static str,
    },
    /// A value is not of the form that its key requires.
    #[error("{}", Malformed(.0))]
    Value(Box<toml::de::Error>),
    /// Old and new name of a setting are both given.
    #[error("{old} is the former name of {new}, and both are given; remove {old}")]
    BothNames {
        /// The former name.
        old: String,
        /// The present name.
        new: String,
    },
    /// A value is not allowed.
    #[error("the key \"{key}\" is not valid: {problem}")]
    Invalid {
        /// The key with its section: `server.listen`.
        key: &'static str,
        /// The problem, and what is allowed.
        problem: String,
    },
}

impl ConfigError {
    /// A value that is not allowed.
    pub(super) fn invalid(key: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { key, problem: problem.into() }
    }
}

/// The message about a value of another form: its key and the problem, in one line.
struct Malformed<'a>(&'a toml::de::Error);

impl fmt::Display for Malformed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let key = text.trim_end().rsplit_once("\nin `").map(|(_, key)| key.trim_end_matches('`'));
        match key {
            Some(key) => write!(f, "the key \"{key}\" is not valid: {}", in_plain_words(self.0.message())),
            None => write!(f, "a value of the configuration is not valid: {}", text.trim_end()),
        }
    }
}

/// Returns the parser's message about a number out of range with the range instead of the type's name.
fn in_plain_words(message: &str) -> Cow<'_, str> {
    let parts =
        message.strip_prefix("invalid value: integer `").and_then(|rest| rest.split_once("`, expected "));
    let range = |most: u64| format!("from 0 to {most}");
    let allowed = match parts.map(|(_, expected)| expected) {
        Some("u8") => range(u8::MAX.into()),
        Some("u16") => range(u16::MAX.into()),
        Some("u32") => range(u32::MAX.into()),
        Some("u64" | "usize") => "from 0 on".to_owned(),
        _ => return message.into(),
    };
    let found = parts.map_or("", |(found, _)| found);
    format!("it is {found}; allowed are whole numbers {allowed}").into()
}

/// The end of the message about an unknown key.
struct Hint<'a>(Option<&'a str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "; did you mean \"{key}\"?"),
            None => f.write_str("; `tidings config default` shows all keys"),
        }
    }
}
