//! Refusals of credentials, and errors of changing keys.

use shared_ports::PortError;

use super::MAX_KEYS;
use super::name::KeyName;
use super::scope::Scope;
use crate::secrets::NoRandomness;

/// Reasons for refusing a credential. The text contains nothing of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// No key has this secret, or its rotation has ended it.
    #[error("the API key is not one of this server's")]
    Unknown,
    /// The key has expired.
    #[error("the key \"{name}\" has expired; an operator with the scope admin can add another")]
    Expired {
        /// The key.
        name: KeyName,
    },
}

/// Errors of changing keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name is taken.
    #[error("there is a key \"{name}\" already; rotate it, or choose another name")]
    Exists {
        /// The name.
        name: KeyName,
    },
    /// There is no such key.
    #[error("there is no key \"{name}\"")]
    NoSuchKey {
        /// The name.
        name: KeyName,
    },
    /// The key is the one in the file.
    #[error(
        "the key \"{}\" is the one in the file api-key of the data directory; to change it, write another key there, or \
         delete the file, and restart the server",
        KeyName::FIRST
    )]
    First,
    /// There are as many keys as there may be.
    #[error("there are {MAX_KEYS} keys already; revoke some that are not used")]
    TooMany,
    /// A scope is for users that can't exist.
    #[error(
        "the scope \"{}\" is for nobody: no user id begins with white space or \"u8:\", or has a control character",
        scope.to_string().escape_debug()
    )]
    ForNobody {
        /// The scope.
        scope: Scope,
    },
    /// The new key would be expired already.
    #[error("the expiry is past")]
    Past,
    /// The operating system returned no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A stored key can't be read or written.
    #[error("a stored key is not readable")]
    Corrupt(#[source] serde_json::Error),
    /// The table failed.
    #[error(transparent)]
    Records(#[from] PortError),
}
