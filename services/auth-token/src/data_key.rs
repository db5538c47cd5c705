//! Authenticated encryption of connect tokens with a key in memory: XChaCha20-Poly1305.
//!
//! The nonce has 192 bits, so it can be random for every token
//! (<https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03#section-2.1>). The encryption context is the
//! associated data, as with KMS.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ring::rand::{SecureRandom as _, SystemRandom};
use shared_ports::PortError;

use crate::ports::EncryptionContext;

/// Length of a nonce, in bytes.
const NONCE_BYTES: usize = 24;

/// Largest plaintext, in bytes: that of KMS, so that every adapter has the same
/// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>).
const MAX_PLAINTEXT_BYTES: usize = 4096;

/// A key that encrypts and decrypts. `Debug` does not show it.
///
/// ```text
/// sealed = nonce (24 bytes) · encrypted plaintext · tag (16)
/// ```
#[derive(Clone)]
pub struct DataKey(XChaCha20Poly1305);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the plaintext has {bytes} bytes; at most {MAX_PLAINTEXT_BYTES} are allowed")]
struct TooLong {
    bytes: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the cipher failed")]
struct CipherFailed;

#[derive(Debug, thiserror::Error)]
#[error("the system has no random numbers")]
struct NoRandomness;

impl DataKey {
    /// Returns a cipher with a key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Encrypts up to 4,096 bytes. `version` is the form of the ciphertext around it and is authenticated too.
    ///
    /// # Errors
    /// [`PortError`], permanent if the plaintext is too long.
    pub fn seal(
        &self,
        plaintext: &[u8],
        version: u8,
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, PortError> {
        const OPERATION: &str = "encrypting a token";
        if plaintext.len() > MAX_PLAINTEXT_BYTES {
            return Err(PortError::permanent(OPERATION, TooLong { bytes: plaintext.len() }));
        }
        let mut nonce = [0; NONCE_BYTES];
        SystemRandom::new().fill(&mut nonce).map_err(|_| PortError::retryable(OPERATION, NoRandomness))?;
        let aad = associated_data(version, context);
        let sealed = self
            .0
            .encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: &aad })
            .map_err(|_| PortError::permanent(OPERATION, CipherFailed))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`DataKey::seal`] made under the same version and context. `None` for anything else.
    pub fn open(&self, sealed: &[u8], version: u8, context: &EncryptionContext) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let aad = associated_data(version, context);
        self.0.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad }).ok()
    }
}

/// Returns the version and the context as bytes. Each text is preceded by its length, so different contexts
/// have different bytes.
fn associated_data(version: u8, context: &EncryptionContext) -> Vec<u8> {
    let mut data = vec![version];
    for text in context.iter().flat_map(|(key, value)| [key, value]) {
        data.extend_from_slice(&(text.len() as u64).to_be_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key() -> DataKey {
        DataKey::new(&[7; 32])
    }

    fn context_of(pairs: &BTreeMap<String, String>) -> EncryptionContext {
        pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    #[test]
    fn opening_needs_the_same_key_version_and_context() {
        let context = EncryptionContext::for_connect_tokens("issuer", "audience");
        let sealed = key().seal(b"claims", 1, &context).unwrap();
        assert_eq!(key().open(&sealed, 1, &context).unwrap(), b"claims");
        assert_eq!(key().open(&sealed, 2, &context), None);
        let others = [
            EncryptionContext::for_connect_tokens("issue", "raudience"),
            EncryptionContext::for_connect_tokens("audience", "issuer"),
            EncryptionContext::default(),
        ];
        for other in others {
            assert_eq!(key().open(&sealed, 1, &other), None);
        }
        assert_eq!(DataKey::new(&[8; 32]).open(&sealed, 1, &context), None);
    }

    #[test]
    fn ciphertexts_of_equal_plaintexts_differ() {
        let seal = || key().seal(b"claims", 1, &EncryptionContext::default()).unwrap();
        assert_ne!(seal(), seal());
        assert_eq!(seal().len(), NONCE_BYTES + 6 + 16);
    }

    #[test]
    fn limit_of_kms_applies() {
        assert!(key().seal(&[0; 4096], 1, &EncryptionContext::default()).is_ok());
        assert!(!key().seal(&[0; 4097], 1, &EncryptionContext::default()).unwrap_err().is_retryable());
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", key()), "DataKey(…)");
    }

    proptest! {
        #[test]
        fn opening_undoes_sealing(
            plaintext in prop::collection::vec(any::<u8>(), 0..200),
            pairs: BTreeMap<String, String>,
        ) {
            let sealed = key().seal(&plaintext, 1, &context_of(&pairs)).unwrap();
            prop_assert_eq!(key().open(&sealed, 1, &context_of(&pairs)), Some(plaintext));
        }

        #[test]
        fn every_altered_byte_is_detected(plaintext: [u8; 8], position in 0..(24 + 8 + 16usize), flip in 1..=255u8) {
            let mut sealed = key().seal(&plaintext, 1, &EncryptionContext::default()).unwrap();
            sealed[position] ^= flip;
            prop_assert_eq!(key().open(&sealed, 1, &EncryptionContext::default()), None);
            prop_assert_eq!(key().open(&sealed[..position], 1, &EncryptionContext::default()), None);
        }

        #[test]
        fn different_contexts_have_different_data(
            one in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
            other in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
        ) {
            let data = |pairs| associated_data(1, &context_of(pairs));
            prop_assert_eq!(one == other, data(&one) == data(&other));
        }
    }
}
