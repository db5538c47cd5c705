//! Files with the server's secrets.
//!
//! The first start creates two files in the data directory, readable by their owner only:
//!
//! - `api-key`: the API key alone, so that scripts can use `$(cat tidings-data/api-key)`
//! - `credentials.toml`: the key pair for Signature Version 4, the seed of the key that signs ID tokens, and
//!   the key of connect tokens
//!
//! To change a secret, delete its file or write another value, and restart the server.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use super::secrets::{AccessKey, AccessKeyId, ApiKey, InvalidSecret, Key256, NoRandomness};

/// Name of the file with the API key.
pub const API_KEY_FILE: &str = "api-key";
/// Name of the file with all other secrets.
pub const CREDENTIALS_FILE: &str = "credentials.toml";

const ACCESS_KEY_ID: &str = "access_key_id";
const SECRET_ACCESS_KEY: &str = "secret_access_key";
const SIGNING_SEED: &str = "signing_seed";
const CIPHER_KEY: &str = "cipher_key";

/// The server's secrets.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// API key of producers.
    pub api_key: ApiKey,
    /// Key pair with which producers and AWS SDKs can sign requests instead.
    pub access_key: AccessKey,
    /// Seed of the Ed25519 key that signs ID tokens.
    pub signing_seed: Key256,
    /// Key of connect tokens.
    pub cipher_key: Key256,
}

/// Errors of reading or creating the credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file or directory could not be used.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// The attempted action.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file is not valid TOML.
    #[error("{} is not valid TOML near line {line}; correct it, or delete it to get new secrets", .path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// The line, from one.
        line: usize,
    },
    /// A secret is missing.
    #[error("{} has no text {key:?}; add it, or delete the file to get new secrets", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The key of the missing secret.
        key: &'static str,
    },
    /// A secret does not have the required form.
    #[error("{key:?} in {} is not valid", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The key of the secret.
        key: &'static str,
        /// The required form.
        #[source]
        source: InvalidSecret,
    },
    /// The operating system returned no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Credentials {
    /// Reads the credentials in `dir` and creates the missing ones.
    ///
    /// If several processes start at once, one creates the files and all read the same. Logs a warning for a
    /// file that others than its owner can use.
    ///
    /// # Errors
    /// [`CredentialsError`], which names the file and the key and contains no secret.
    pub fn load_or_create(dir: &Path) -> Result<Self, CredentialsError> {
        create_dir(dir).map_err(|source| not_created(dir, source))?;
        create_missing(dir, API_KEY_FILE, new_api_key)?;
        let api_key = Self::load_api_key(dir)?;
        let file = create_missing(dir, CREDENTIALS_FILE, new_credentials)?;
        let table = parse(&file)?;
        let text = |key| {
            let found = table.get(key).and_then(toml::Value::as_str);
            found.ok_or_else(|| CredentialsError::Missing { path: file.clone(), key })
        };
        let invalid = |key| {
            let path = file.clone();
            move |source| CredentialsError::Invalid { path, key, source }
        };
        let id = AccessKeyId::new(text(ACCESS_KEY_ID)?).map_err(invalid(ACCESS_KEY_ID))?;
        let secret = text(SECRET_ACCESS_KEY)?.to_owned();
        Ok(Self {
            api_key,
            access_key: AccessKey::new(id, secret).map_err(invalid(SECRET_ACCESS_KEY))?,
            signing_seed: Key256::from_text(text(SIGNING_SEED)?).map_err(invalid(SIGNING_SEED))?,
            cipher_key: Key256::from_text(text(CIPHER_KEY)?).map_err(invalid(CIPHER_KEY))?,
        })
    }

    /// Returns the key that seals the secrets of further key pairs. It is derived from the key of connect tokens (HKDF,
    /// RFC 5869), so that the files of earlier versions have all that is needed.
    ///
    /// # Errors
    /// [`NoRandomness`] is never returned in practice: a derivation of 32 bytes always succeeds.
    pub fn sealing_key(&self) -> Result<Key256, NoRandomness> {
        let mut key = [0; 32];
        Salt::new(HKDF_SHA256, b"tidings")
            .extract(self.cipher_key.as_bytes())
            .expand(&[b"secrets of key pairs"], HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut key))
            .map_err(|_| NoRandomness)?;
        Ok(Key256::from_bytes(key))
    }

    /// Reads only the API key, for a client on the server's machine.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn load_api_key(dir: &Path) -> Result<ApiKey, CredentialsError> {
        let path = dir.join(API_KEY_FILE);
        let text = read(&path)?;
        ApiKey::parse(&text).map_err(|source| CredentialsError::Invalid { path, key: API_KEY_FILE, source })
    }
}

fn new_api_key() -> Result<Zeroizing<String>, NoRandomness> {
    Ok(Zeroizing::new(format!("{}\n", ApiKey::generate()?.reveal())))
}

fn new_credentials() -> Result<Zeroizing<String>, NoRandomness> {
    let pair = AccessKey::generate()?;
    Ok(Zeroizing::new(format!(
        "# Secrets of this Tidings server, made at its first start. They allow to act as the server.\n\
         # To get new ones, delete the file. Producers then need the new key pair, and users log in again.\n\
         \n\
         # The key pair for AWS Signature Version 4.\n\
         {ACCESS_KEY_ID} = \"{}\"\n\
         {SECRET_ACCESS_KEY} = \"{}\"\n\
         \n\
         # Seed of the Ed25519 key that signs ID tokens.\n\
         {SIGNING_SEED} = \"{}\"\n\
         \n\
         # Key of the single-use connect tokens.\n\
         {CIPHER_KEY} = \"{}\"\n",
        pair.id(),
        pair.reveal(),
        *Key256::generate()?.to_text(),
        *Key256::generate()?.to_text(),
    )))
}

/// The error about a data directory that can't be created. Some file systems, such as `/proc`, report that the new
/// directory does not exist.
fn not_created(dir: &Path, source: io::Error) -> CredentialsError {
    let existing = dir.ancestors().skip(1).find(|above| above.is_dir());
    let source = match existing {
        Some(above) if source.kind() == io::ErrorKind::NotFound => io::Error::other(format!(
            "the file system takes no directory in {}; choose another data directory",
            above.display()
        )),
        _ => source,
    };
    CredentialsError::Io { action: "create the data directory", path: dir.to_owned(), source }
}

/// Creates the file `name` unless it exists.
fn create_missing(
    dir: &Path,
    name: &str,
    content: impl FnOnce() -> Result<Zeroizing<String>, NoRandomness>,
) -> Result<PathBuf, CredentialsError> {
    let path = dir.join(name);
    let failed = |action, source| CredentialsError::Io { action, path: path.clone(), source };
    if !path.try_exists().map_err(|source| failed("look for", source))? {
        let content = content()?;
        let created = write_new(dir, &path, content.as_bytes()).map_err(|source| failed("write", source))?;
        if created {
            tracing::info!(path = %path.display(), "created new secrets");
        }
    }
    Ok(path)
}

/// Writes a new file that only its owner can use, durably and atomically. Returns false if another process
/// has created the file meanwhile, and leaves that file.
fn write_new(dir: &Path, path: &Path, content: &[u8]) -> io::Result<bool> {
    // Temporary files have mode 0600.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error.error),
    }
    sync_dir(dir)?;
    Ok(true)
}

fn parse(path: &Path) -> Result<toml::Table, CredentialsError> {
    let text = read(path)?;
    // The parser's error quotes the line, which may contain a secret.
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        CredentialsError::NotToml { path: path.to_owned(), line: 1 + before.matches('\n').count() }
    })
}

fn read(path: &Path) -> Result<Zeroizing<String>, CredentialsError> {
    let failed = |source| CredentialsError::Io { action: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if is_open_to_others(&file).map_err(failed)? {
        tracing::warn!(path = %path.display(), "other users can read or change this file of secrets; set its mode to 0600");
    }
    io::read_to_string(file).map(Zeroizing::new).map_err(failed)
}

#[cfg(unix)]
fn is_open_to_others(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
fn create_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn create_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// Makes new names in a directory durable.
#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn secrets(credentials: &Credentials) -> [String; 5] {
        [
            credentials.api_key.reveal().to_owned(),
            credentials.access_key.id().to_string(),
            credentials.access_key.reveal().to_owned(),
            credentials.signing_seed.to_text().to_string(),
            credentials.cipher_key.to_text().to_string(),
        ]
    }

    #[test]
    fn first_start_creates_and_next_start_reads_them() {
        let data = tempfile::tempdir().unwrap();
        let dir = data.path().join("made/on/demand");
        let first = Credentials::load_or_create(&dir).unwrap();
        assert_eq!(secrets(&Credentials::load_or_create(&dir).unwrap()), secrets(&first));
        assert_eq!(Credentials::load_api_key(&dir).unwrap().reveal(), first.api_key.reveal());
        let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [API_KEY_FILE, CREDENTIALS_FILE]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        Credentials::load_or_create(data.path()).unwrap();
        for name in [API_KEY_FILE, CREDENTIALS_FILE] {
            let path = data.path().join(name);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
            assert!(!is_open_to_others(&File::open(&path).unwrap()).unwrap());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            assert!(is_open_to_others(&File::open(&path).unwrap()).unwrap());
        }
        // A warning, not an error: some deployments mount secrets with this mode.
        Credentials::load_or_create(data.path()).unwrap();
    }

    #[test]
    fn concurrent_starts_create_them_once() {
        let data = tempfile::tempdir().unwrap();
        let all: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| secrets(&Credentials::load_or_create(data.path()).unwrap())))
                .collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(all.iter().all(|found| *found == all[0]));
    }

    #[test]
    fn errors_name_file_and_key_but_no_secret() {
        let data = tempfile::tempdir().unwrap();
        let made = secrets(&Credentials::load_or_create(data.path()).unwrap());
        let path = data.path().join(CREDENTIALS_FILE);
        let good = fs::read_to_string(&path).unwrap();
        let refusal = |text: &str| {
            fs::write(&path, text).unwrap();
            let error = Credentials::load_or_create(data.path()).unwrap_err();
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            let said = format!("{error}: {cause} {error:?}");
            for secret in &made[2..] {
                assert!(!said.contains(secret.as_str()), "{said}");
            }
            assert!(said.contains(CREDENTIALS_FILE));
            error
        };
        assert!(matches!(
            refusal(&good.replace("signing_seed", "other")),
            CredentialsError::Missing { key: SIGNING_SEED, .. }
        ));
        assert!(matches!(
            refusal(&good.replace(&made[4], &format!("{}=", made[4]))),
            CredentialsError::Invalid { key: CIPHER_KEY, .. }
        ));
        assert!(matches!(
            refusal(&good.replace(&made[1], "no id")),
            CredentialsError::Invalid { key: ACCESS_KEY_ID, .. }
        ));
        // A quote is missing on the fifth line, that of the secret access key.
        let unquoted = good.replace(&format!("{}\"", made[2]), &made[2]);
        assert!(matches!(refusal(&unquoted), CredentialsError::NotToml { line: 5 | 6, .. }));

        fs::write(data.path().join(API_KEY_FILE), "").unwrap();
        assert!(matches!(
            Credentials::load_or_create(data.path()),
            Err(CredentialsError::Invalid { key: API_KEY_FILE, .. })
        ));
    }

    #[test]
    fn error_names_a_directory_that_cannot_be_made() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("a-file");
        fs::write(&file, "").unwrap();
        let error = Credentials::load_or_create(&file.join("below")).unwrap_err();
        assert!(error.to_string().contains("a-file"), "{error}");
    }
}
