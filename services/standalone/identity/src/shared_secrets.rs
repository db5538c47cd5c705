//! Secrets shared with clients and issuers, in files or in the environment.

use std::path::Path;

use auth_token::ports::{Secret, SecretVersions, Secrets};
use shared_ports::PortError;
use zeroize::Zeroizing;

/// Prefix of a name that refers to an environment variable.
const ENVIRONMENT: &str = "env:";

/// Largest size of a secret's file in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Errors of reading a shared secret. They contain the secret's name, not its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("the secret {name} can't be read")]
    Read {
        /// The secret's name.
        name: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The variable is not set, or is not Unicode.
    #[error("the secret {name} is not set in the environment")]
    NotSet {
        /// The secret's name.
        name: String,
    },
    /// The file is too large.
    #[error("the secret {name} has more than {MAX_BYTES} bytes")]
    TooLarge {
        /// The secret's name.
        name: String,
    },
    /// The first line is empty.
    #[error(
        "the secret {name} is empty; write the secret on the first line, and the previous one, if any, on the second"
    )]
    Empty {
        /// The secret's name.
        name: String,
    },
}

/// Reads secrets by name. `env:NAME` is an environment variable, any other name the path of a file.
///
/// The first line is the current value. The second line, if there is one, is the previous value.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalSecrets;

impl LocalSecrets {
    /// Reads a secret at the start, so that a mistake is found before the first handshake.
    ///
    /// # Errors
    /// [`SecretError`] if it can't be read.
    pub fn check(name: &str) -> Result<SecretVersions, SecretError> {
        load(name)
    }
}

fn load(name: &str) -> Result<SecretVersions, SecretError> {
    let text = match name.strip_prefix(ENVIRONMENT) {
        Some(variable) => {
            let text = std::env::var(variable).map_err(|_| SecretError::NotSet { name: name.to_owned() })?;
            Zeroizing::new(text.into_bytes())
        }
        None => read_file(name)?,
    };
    versions(&text).ok_or_else(|| SecretError::Empty { name: name.to_owned() })
}

fn read_file(name: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let failed = |source| SecretError::Read { name: name.to_owned(), source };
    let path = Path::new(name);
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(SecretError::TooLarge { name: name.to_owned() });
    }
    Ok(Zeroizing::new(std::fs::read(path).map_err(failed)?))
}

fn versions(text: &[u8]) -> Option<SecretVersions> {
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let current = Secret::new(lines.next()?)?;
    Some(SecretVersions { current, previous: lines.next().and_then(Secret::new) })
}

impl Secrets for LocalSecrets {
    async fn read(&self, name: &str) -> Result<SecretVersions, PortError> {
        let owned = name.to_owned();
        let loaded = tokio::task::spawn_blocking(move || load(&owned)).await;
        let loaded = loaded.map_err(|error| PortError::retryable("reading a secret", error))?;
        loaded.map_err(|error| PortError::retryable("reading a secret", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, Option<String>)> {
        let text_of = |secret: &Secret| String::from_utf8(secret.reveal().to_vec()).unwrap();
        versions(text.as_bytes())
            .map(|versions| (text_of(&versions.current), versions.previous.as_ref().map(text_of)))
    }

    #[test]
    fn first_line_is_current_and_second_previous() {
        let both = Some(("new".to_owned(), Some("old".to_owned())));
        for text in ["new\nold", "new\nold\n", "new\r\nold\r\n", "new\nold\nolder\n"] {
            assert_eq!(read(text), both);
        }
        assert_eq!(read("only"), Some(("only".to_owned(), None)));
        assert_eq!(read(" only \n\n"), Some((" only ".to_owned(), None)));
        assert_eq!(read(""), None);
        assert_eq!(read("\nold"), None);
    }

    #[tokio::test]
    async fn secret_is_read_from_file_or_environment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let name = path.to_str().unwrap();
        assert!(matches!(LocalSecrets::check(name), Err(SecretError::Read { .. })));
        for value in ["one", "two"] {
            std::fs::write(&path, value).unwrap();
            assert_eq!(LocalSecrets.read(name).await.unwrap().current.reveal(), value.as_bytes());
        }
        std::fs::write(&path, "").unwrap();
        assert!(LocalSecrets::check(name).unwrap_err().to_string().contains("is empty"));
        std::fs::write(&path, vec![b'x'; 65 * 1024]).unwrap();
        assert!(matches!(LocalSecrets::check(name), Err(SecretError::TooLarge { .. })));
        // Every process has this variable.
        assert!(LocalSecrets::check("env:PATH").is_ok());
        assert!(matches!(LocalSecrets::check("env:TIDINGS_NO_SUCH"), Err(SecretError::NotSet { .. })));
    }
}
