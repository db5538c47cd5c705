//! Names of keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a key: 1 to 64 letters, digits, and `-`, `_` and `.`, but neither `.` nor `..`, which URLs leave out of
/// their paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(Box<str>);

/// A text that is not the name of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not the name of a key; allowed are 1 to 64 letters, digits, \"-\", \"_\" and \".\", but not \".\" and \"..\" alone"
)]
pub struct InvalidKeyName {
    /// The text, cut to 64 characters.
    pub found: String,
}

impl KeyName {
    /// Name of the key in the data directory's file.
    pub const FIRST: &str = "first";

    /// Returns the name of the key in the data directory's file.
    pub(super) fn first() -> Self {
        Self(Self::FIRST.into())
    }

    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidKeyName`] if the text has other characters or another length.
    pub fn new(text: &str) -> Result<Self, InvalidKeyName> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(legal) && !matches!(text, "." | "..") {
            return Ok(Self(text.into()));
        }
        Err(InvalidKeyName { found: text.chars().take(64).collect() })
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyName {
    type Error = InvalidKeyName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0.into()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
