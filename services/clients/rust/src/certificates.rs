//! Certificate authorities that a client trusts.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Certificate authorities: those of the operating system, and further ones.
#[derive(Clone)]
pub struct CertificateAuthorities(Arc<ClientConfig>);

/// Errors of reading certificates of authorities.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFileError {
    /// The text contains no certificate.
    #[error("it contains no certificate; a certificate begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// A certificate can't be used.
    #[error("certificate {number} in it is not valid")]
    Invalid {
        /// Position of the certificate, from one.
        number: usize,
    },
}

impl CertificateAuthorities {
    /// Returns the operating system's authorities and those in `pem`, the text of a PEM file.
    ///
    /// # Errors
    /// [`CertificateFileError`] if the text contains no certificate, or one that is not valid.
    pub fn with_pem(pem: &[u8]) -> Result<Self, CertificateFileError> {
        super::install_tls_provider();
        let mut roots = RootCertStore::empty();
        // Some of the system's certificates may be unreadable, which the others make good for.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut number = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            number += 1;
            let invalid = CertificateFileError::Invalid { number };
            let Ok(certificate) = certificate else { return Err(invalid) };
            roots.add(certificate).map_err(|_| invalid)?;
        }
        if number == 0 {
            return Err(CertificateFileError::NoCertificate);
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn tls_config(&self) -> Arc<ClientConfig> {
        self.0.clone()
    }
}

impl fmt::Debug for CertificateAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateAuthorities")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_without_valid_certificates_is_refused() {
        let refused = |pem: &str| CertificateAuthorities::with_pem(pem.as_bytes()).unwrap_err();
        assert!(matches!(refused("text"), CertificateFileError::NoCertificate));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(garbage), CertificateFileError::Invalid { number: 1 }));
    }
}
