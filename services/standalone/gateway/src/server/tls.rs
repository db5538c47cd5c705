//! Reads the TLS certificate and its key from files, again when they change.
//!
//! [`TlsKeys`] is shared by the acceptor and the [reloader](TlsReloader): a connection gets the keys that are current when
//! it is accepted. Files that can't be used leave the current keys in use.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use shared_sync::IgnorePoison as _;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Interval at which the files are looked at. Certificates are renewed days before they expire.
const WATCH_INTERVAL: Duration = Duration::from_secs(10);

/// Most bytes of a file. A chain of certificates has some thousands.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Paths of certificate and key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by its intermediate certificates.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// The settings that name the files.
const CERTIFICATE: &str = "server.tls_certificate";
const KEY: &str = "server.tls_key";

/// Certificate and key, ready for use. Its `Debug` shows neither.
#[derive(Clone)]
pub struct TlsKeys(Arc<RwLock<Arc<ServerConfig>>>);

/// Errors of reading certificate and key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or has no PEM section of its kind.
    #[error("can't read {what} from {path} ({setting})")]
    File {
        /// The kind: a certificate or a private key.
        what: &'static str,
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The reader's error.
        #[source]
        source: pem::Error,
    },
    /// A path leads to something that is no file of a certificate or a key.
    #[error("{path} ({setting}) is not a regular file of at most {MAX_FILE_BYTES} bytes")]
    NoFile {
        /// The setting that names the path.
        setting: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// Certificate and key are not valid, or do not belong together.
    #[error("the certificate ({CERTIFICATE}) and its key ({KEY}) can't be used")]
    Invalid(#[from] rustls::Error),
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn load(&self) -> Result<TlsKeys, TlsError> {
        let error = |what, setting, path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::File { what, setting, path, source }
        };
        for (setting, path) in [(CERTIFICATE, &self.certificate), (KEY, &self.key)] {
            // Reading a pipe would never end.
            if std::fs::metadata(path).is_ok_and(|found| !found.is_file() || found.len() > MAX_FILE_BYTES) {
                return Err(TlsError::NoFile { setting, path: path.clone() });
            }
        }
        let certificates = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) })
            .map_err(error("a certificate", CERTIFICATE, &self.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.map_err(error("a private key", KEY, &self.key))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsKeys(Arc::new(RwLock::new(Arc::new(config)))))
    }

    /// Returns the path of the key if other users of the machine can read it.
    pub fn key_open_to_others(&self) -> Option<&Path> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&self.key).ok()?.permissions().mode();
            (mode & 0o077 != 0).then_some(&self.key)
        }
        #[cfg(not(unix))]
        None
    }

    /// Returns what shows that a file was replaced or written.
    fn stamp(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.certificate, &self.key].map(|path| {
            // Of the file that a link leads to: a volume of Kubernetes replaces the link.
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

/// Asks a server to read its certificate and key again. Clones ask the same server.
#[derive(Debug, Clone, Default)]
pub struct ReloadRequest(Arc<Notify>);

impl ReloadRequest {
    /// Asks for one reload.
    pub fn send(&self) {
        self.0.notify_one();
    }
}

/// Reads certificate and key again when their files change, and when asked to.
pub struct TlsReloader {
    /// The files.
    pub files: TlsFiles,
    /// The keys in use.
    pub keys: TlsKeys,
    /// Requests for a reload.
    pub requests: ReloadRequest,
}

impl TlsReloader {
    /// Watches the files until `shutdown` completes.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let watch = async {
            let mut seen = self.stamp().await;
            loop {
                let asked = tokio::select! {
                    () = self.requests.0.notified() => true,
                    () = tokio::time::sleep(WATCH_INTERVAL) => false,
                };
                let found = self.stamp().await;
                if asked || found != seen {
                    seen = found;
                    self.reload().await;
                }
            }
        };
        tokio::select! {
            () = watch => {}
            () = shutdown => {}
        }
    }

    async fn stamp(&self) -> [Option<(SystemTime, u64)>; 2] {
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || files.stamp()).await.unwrap_or_default()
    }

    async fn reload(&self) {
        let files = self.files.clone();
        let certificate = self.files.certificate.display();
        let outcome = match tokio::task::spawn_blocking(move || files.load()).await {
            Ok(Ok(keys)) => {
                self.keys.replace_by(&keys);
                tracing::info!(%certificate, "the TLS certificate and its key were read again");
                "reloaded"
            }
            Ok(Err(error)) => {
                let error = shared_telemetry::chain(&error);
                tracing::error!(
                    %certificate,
                    error,
                    "the TLS certificate and its key can't be used; those of before stay in use"
                );
                "failed"
            }
            Err(_) => "failed",
        };
        metrics::counter!("tidings_tls_reloads_total", "outcome" => outcome).increment(1);
    }
}

impl TlsKeys {
    /// Returns an acceptor with the current keys.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.read().ignore_poison()))
    }

    fn replace_by(&self, other: &Self) {
        let newer = Arc::clone(&other.0.read().ignore_poison());
        *self.0.write().ignore_poison() = newer;
    }
}

impl std::fmt::Debug for TlsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsKeys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock is paused, so the interval of the watch passes at once.
    #[tokio::test(start_paused = true)]
    async fn changed_certificate_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: directory.path().join("cert.pem"),
            key: directory.path().join("key.pem"),
        };
        let make = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let made = rcgen::generate_simple_self_signed(names).unwrap();
            std::fs::write(&files.certificate, made.cert.pem()).unwrap();
            std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        };
        make(&["localhost"]);
        let keys = files.load().unwrap();
        let current = || Arc::clone(&keys.0.read().unwrap());
        let before = current();
        let reloader =
            TlsReloader { files: files.clone(), keys: keys.clone(), requests: ReloadRequest::default() };
        let reloading = tokio::spawn(reloader.run(std::future::pending()));
        tokio::time::sleep(6 * WATCH_INTERVAL).await;
        assert!(Arc::ptr_eq(&before, &current()));
        // Another size shows the change even to a clock of whole seconds.
        make(&["localhost", "push.example.com", "another.example.com"]);
        while Arc::ptr_eq(&before, &current()) {
            tokio::time::sleep(WATCH_INTERVAL).await;
        }
        reloading.abort();
    }

    /// Reading a pipe waits for a writer.
    #[test]
    fn path_that_is_no_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("cert.pem");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        let files = TlsFiles { certificate: pipe.clone(), key: directory.path().join("key.pem") };
        assert!(matches!(files.load().err(), Some(TlsError::NoFile { path, .. }) if path == pipe));
        let large = TlsFiles { certificate: files.key.clone(), ..files };
        std::fs::write(&large.certificate, vec![b'x'; 1_100_000]).unwrap();
        assert!(matches!(large.load().err(), Some(TlsError::NoFile { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn key_that_others_can_read_is_found() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key.pem");
        let files = TlsFiles { certificate: directory.path().join("cert.pem"), key: key.clone() };
        assert_eq!(files.key_open_to_others(), None);
        std::fs::write(&key, "").unwrap();
        for (mode, is_open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(files.key_open_to_others().is_some(), is_open, "{mode:o}");
        }
    }
}
