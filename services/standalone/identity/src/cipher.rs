//! The cipher of connect tokens with a key of this server.
//!
//! ```text
//! ciphertext = version (1 byte) · what the key sealed
//! ```

use auth_token::DataKey;
use auth_token::ports::{DecryptError, EncryptionContext, TokenCipher};
use shared_ports::PortError;

use super::secrets::Key256;

/// First byte of every ciphertext. Other values are reserved for other ciphers.
const VERSION: u8 = 1;

/// Encrypts connect tokens with a key of this server.
#[derive(Debug, Clone)]
pub struct LocalCipher(DataKey);

impl LocalCipher {
    /// Returns a cipher with `key`.
    pub fn new(key: &Key256) -> Self {
        Self(DataKey::new(key.as_bytes()))
    }

    pub(crate) fn seal(&self, plaintext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, PortError> {
        Ok([&[VERSION], self.0.seal(plaintext, VERSION, context)?.as_slice()].concat())
    }

    pub(crate) fn open(&self, ciphertext: &[u8], context: &EncryptionContext) -> Option<Vec<u8>> {
        let (&VERSION, sealed) = ciphertext.split_first()? else { return None };
        self.0.open(sealed, VERSION, context)
    }
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
    use super::*;

    #[test]
    fn only_its_own_version_is_opened() {
        let (cipher, context) =
            (LocalCipher::new(&Key256::from_bytes([7; 32])), EncryptionContext::default());
        let sealed = cipher.seal(b"claims", &context).unwrap();
        assert_eq!(cipher.open(&sealed, &context).unwrap(), b"claims");
        let other = [&[VERSION + 1], &sealed[1..]].concat();
        assert_eq!((cipher.open(&other, &context), cipher.open(&[], &context)), (None, None));
    }
}
