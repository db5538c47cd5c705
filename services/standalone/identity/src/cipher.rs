//! The cipher of connect tokens: XChaCha20-Poly1305 with a key of this server.
//!
//! The nonce has 192 bits, so it can be random for every token
//! (<https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03#section-2.1>).
//!
//! ```text
//! ciphertext = version (1 byte) · nonce (24) · encrypted plaintext · tag (16)
//! ```

use std::fmt;

use auth_token::ports::{DecryptError, EncryptionContext, TokenCipher};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use shared_ports::PortError;

use super::secrets::{Key256, random};

/// First byte of every ciphertext. Other values are reserved for other ciphers.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
/// KMS's limit, so that every token accepted here is accepted on AWS.
const MAX_PLAINTEXT_BYTES: usize = 4096;

/// Encrypts connect tokens with a key of this server.
#[derive(Clone)]
pub struct LocalCipher(XChaCha20Poly1305);

impl fmt::Debug for LocalCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalCipher(…)")
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

impl LocalCipher {
    /// Returns a cipher with `key`.
    pub fn new(key: &Key256) -> Self {
        Self(XChaCha20Poly1305::new(key.as_bytes().into()))
    }

    pub(crate) fn seal(&self, plaintext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, PortError> {
        const OPERATION: &str = "encrypting a token";
        if plaintext.len() > MAX_PLAINTEXT_BYTES {
            return Err(PortError::permanent(OPERATION, TooLong { bytes: plaintext.len() }));
        }
        let nonce = random::<NONCE_BYTES>().map_err(|error| PortError::retryable(OPERATION, error))?;
        let aad = associated_data(context);
        let sealed = self
            .0
            .encrypt(&XNonce::from(*nonce), Payload { msg: plaintext, aad: &aad })
            .map_err(|_| PortError::permanent(OPERATION, CipherFailed))?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, ciphertext: &[u8], context: &EncryptionContext) -> Option<Vec<u8>> {
        let (&VERSION, rest) = ciphertext.split_first()? else { return None };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let aad = associated_data(context);
        self.0.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad }).ok()
    }
}

/// Returns the version and the context as bytes. Each text is preceded by its length, so different contexts
/// have different bytes.
fn associated_data(context: &EncryptionContext) -> Vec<u8> {
    let mut data = vec![VERSION];
    for text in context.iter().flat_map(|(key, value)| [key, value]) {
        data.extend_from_slice(&(text.len() as u64).to_be_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data
}

impl TokenCipher for LocalCipher {
    async fn encrypt(&self, plaintext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, PortError> {
        self.seal(plaintext, context)
    }

    async fn decrypt(&self, ciphertext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, DecryptError> {
        self.open(ciphertext, context).ok_or(DecryptError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn cipher() -> LocalCipher {
        LocalCipher::new(&Key256::from_bytes([7; 32]))
    }

    fn context_of(pairs: &BTreeMap<String, String>) -> EncryptionContext {
        pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    #[tokio::test]
    async fn decryption_needs_the_same_key_and_context() {
        let context = EncryptionContext::for_connect_tokens("issuer", "audience");
        let sealed = cipher().encrypt(b"claims", &context).await.unwrap();
        assert_eq!(cipher().decrypt(&sealed, &context).await.unwrap(), b"claims");
        let others = [
            EncryptionContext::for_connect_tokens("issue", "raudience"),
            EncryptionContext::for_connect_tokens("audience", "issuer"),
            EncryptionContext::default(),
        ];
        for other in others {
            assert!(matches!(cipher().decrypt(&sealed, &other).await, Err(DecryptError::Refused)));
        }
        let stranger = LocalCipher::new(&Key256::from_bytes([8; 32]));
        assert!(matches!(stranger.decrypt(&sealed, &context).await, Err(DecryptError::Refused)));
    }

    #[tokio::test]
    async fn ciphertexts_of_equal_plaintexts_differ() {
        let context = EncryptionContext::default();
        let first = cipher().encrypt(b"claims", &context).await.unwrap();
        assert_ne!(first, cipher().encrypt(b"claims", &context).await.unwrap());
        assert_eq!(first.len(), 1 + NONCE_BYTES + 6 + 16);
    }

    #[tokio::test]
    async fn limit_of_kms_applies() {
        let context = EncryptionContext::default();
        assert!(cipher().encrypt(&[0; 4096], &context).await.is_ok());
        let error = cipher().encrypt(&[0; 4097], &context).await.unwrap_err();
        assert!(!error.is_retryable());
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", cipher()), "LocalCipher(…)");
    }

    proptest! {
        #[test]
        fn decryption_undoes_encryption(
            plaintext in prop::collection::vec(any::<u8>(), 0..200),
            pairs: BTreeMap<String, String>,
        ) {
            let sealed = cipher().seal(&plaintext, &context_of(&pairs)).unwrap();
            prop_assert_eq!(cipher().open(&sealed, &context_of(&pairs)), Some(plaintext));
        }

        #[test]
        fn every_altered_byte_is_detected(plaintext: [u8; 8], position in 0..(1 + 24 + 8 + 16usize), flip in 1..=255u8) {
            let mut sealed = cipher().seal(&plaintext, &EncryptionContext::default()).unwrap();
            sealed[position] ^= flip;
            prop_assert_eq!(cipher().open(&sealed, &EncryptionContext::default()), None);
            prop_assert_eq!(cipher().open(&sealed[..position], &EncryptionContext::default()), None);
        }

        #[test]
        fn different_contexts_have_different_data(
            one in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
            other in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
        ) {
            let data = |pairs| associated_data(&context_of(pairs));
            prop_assert_eq!(one == other, data(&one) == data(&other));
        }
    }
}
