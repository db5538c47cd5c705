//! Reads the TLS certificate and its key from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Paths of certificate and key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by its intermediate certificates.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// Certificate and key, ready for use. Its `Debug` shows neither.
#[derive(Clone)]
pub struct TlsKeys(Arc<ServerConfig>);

/// Errors of reading certificate and key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or has no PEM section of its kind.
    #[error("can't read {what} from {path}")]
    File {
        /// The kind: a certificate or a private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The reader's error.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key are not valid, or do not belong together.
    #[error("certificate and key can't be used")]
    Invalid(#[from] rustls::Error),
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn load(&self) -> Result<TlsKeys, TlsError> {
        let error = |what, path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::File { what, path, source }
        };
        let certificates = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) })
            .map_err(error("a certificate", &self.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(error("a private key", &self.key))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsKeys(Arc::new(config)))
    }
}

impl TlsKeys {
    pub(super) fn into_acceptor(self) -> TlsAcceptor {
        TlsAcceptor::from(self.0)
    }
}

impl std::fmt::Debug for TlsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsKeys")
    }
}
