//! The cipher of connect tokens under a KMS key, with data keys in memory.
//!
//! The issuer asks KMS for a data key and encrypts the tokens of an hour with it. Each token carries the data key as KMS
//! encrypted it; the authorizer has KMS decrypt that once and remembers it. So a handshake costs no request to KMS.
//!
//! ```text
//! ciphertext = version (1 byte) · length of the encrypted data key (2, big-endian) · that key · what the data key sealed
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_token::ports::{DecryptError, EncryptionContext, TokenCipher};
use auth_token::{CacheTimes, Cached, DataKey};
use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::decrypt::DecryptError as KmsDecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use shared_aws::port_error;
use shared_ports::{PortError, SystemClock};
use shared_sync::IgnorePoison as _;
use zeroize::Zeroizing;

/// First byte of every ciphertext. A ciphertext of KMS itself begins with 1.
const VERSION: u8 = 2;

/// Ages of the issuer's data key. A new one limits what a leaked one opens; an old one is used while KMS fails.
const DATA_KEY: CacheTimes = CacheTimes {
    fresh: Duration::from_hours(1),
    stale: Duration::from_hours(2),
    interval: Duration::from_mins(1),
    interval_without_value: Duration::ZERO,
};

/// Most data keys that an authorizer remembers: one for each instance of the issuer in an hour.
const MAX_KNOWN: usize = 1_024;

/// Context under which KMS encrypts data keys. The tokens' own context is authenticated with each token.
const CONTEXT: (&str, &str) = ("purpose", "tidings-connect-data-key");

/// A data key, and the same as KMS encrypted it.
#[derive(Debug)]
struct OwnKey {
    key: DataKey,
    encrypted: Vec<u8>,
}

/// Data keys by what KMS made of them. The oldest is forgotten first.
#[derive(Debug, Default)]
struct KnownKeys {
    by_encrypted: HashMap<Vec<u8>, DataKey>,
    oldest: VecDeque<Vec<u8>>,
}

impl KnownKeys {
    fn insert(&mut self, encrypted: &[u8], key: DataKey) {
        if self.by_encrypted.insert(encrypted.to_vec(), key).is_none() {
            self.oldest.push_back(encrypted.to_vec());
        }
        if self.oldest.len() > MAX_KNOWN
            && let Some(forgotten) = self.oldest.pop_front()
        {
            self.by_encrypted.remove(&forgotten);
        }
    }
}

/// Encrypts and decrypts connect tokens under a symmetric KMS key. Clones share their data keys.
#[derive(Debug, Clone)]
pub struct KmsCipher {
    client: Client,
    key: String,
    own: Arc<Cached<OwnKey>>,
    known: Arc<Mutex<KnownKeys>>,
}

/// The answer of KMS has no data key of 256 bits.
#[derive(Debug, thiserror::Error)]
#[error("there is no data key of 256 bits in the answer of KMS")]
struct NoDataKey;

fn data_key(plaintext: Option<Blob>) -> Option<DataKey> {
    let bytes = Zeroizing::new(plaintext?.into_inner());
    Some(DataKey::new(bytes.as_slice().try_into().ok()?))
}

/// Returns the encrypted data key and what the data key sealed.
fn parts(ciphertext: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&VERSION, rest) = ciphertext.split_first()? else { return None };
    let (length, rest) = rest.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

impl KmsCipher {
    /// Creates a cipher with the key of this id, ARN or alias.
    pub fn new(sdk: &SdkConfig, key: &str) -> Self {
        let own = Arc::new(Cached::new("asking KMS for a data key", DATA_KEY));
        Self { client: Client::new(sdk), key: key.to_owned(), own, known: Arc::default() }
    }

    async fn generate(&self) -> Result<OwnKey, PortError> {
        const OPERATION: &str = "asking KMS for a data key";
        let (name, value) = CONTEXT;
        let request = self.client.generate_data_key().key_id(&self.key).key_spec(DataKeySpec::Aes256);
        let made = request.encryption_context(name, value).send().await;
        let made = made.map_err(|error| port_error(OPERATION, error))?;
        let encrypted = made.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        match data_key(made.plaintext) {
            Some(key) if u16::try_from(encrypted.len()).is_ok() => Ok(OwnKey { key, encrypted }),
            _ => Err(PortError::permanent(OPERATION, NoDataKey)),
        }
    }

    /// Returns the data key of a token, from KMS if it is not known yet.
    async fn known(&self, encrypted: &[u8]) -> Result<DataKey, DecryptError> {
        const OPERATION: &str = "decrypting a data key";
        let known = self.known.lock().ignore_poison().by_encrypted.get(encrypted).cloned();
        if let Some(key) = known {
            return Ok(key);
        }
        let (name, value) = CONTEXT;
        let request = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(encrypted));
        match request.encryption_context(name, value).send().await {
            Ok(output) => {
                let key = data_key(output.plaintext).ok_or(DecryptError::Refused)?;
                self.known.lock().ignore_poison().insert(encrypted, key.clone());
                Ok(key)
            }
            Err(SdkError::ServiceError(refused))
                if matches!(
                    refused.err(),
                    KmsDecryptError::InvalidCiphertextException(_)
                        | KmsDecryptError::IncorrectKeyException(_)
                ) =>
            {
                Err(DecryptError::Refused)
            }
            Err(error) => Err(port_error(OPERATION, error).into()),
        }
    }
}

impl TokenCipher for KmsCipher {
    async fn encrypt(&self, plaintext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, PortError> {
        let own = self.own.get(&SystemClock, || self.generate()).await?;
        let sealed = own.key.seal(plaintext, VERSION, context)?;
        // Checked when the key was made.
        let length = u16::try_from(own.encrypted.len()).unwrap_or_default().to_be_bytes();
        Ok([&[VERSION], length.as_slice(), &own.encrypted, &sealed].concat())
    }

    async fn decrypt(&self, ciphertext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, DecryptError> {
        let (encrypted, sealed) = parts(ciphertext).ok_or(DecryptError::Refused)?;
        let key = self.known(encrypted).await?;
        key.open(sealed, VERSION, context).ok_or(DecryptError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_own_version() {
        assert_eq!(parts(&[VERSION, 0, 2, 7, 8, 9]), Some(([7, 8].as_slice(), [9].as_slice())));
        for wrong in [&[][..], &[1, 0, 2, 7, 8, 9], &[VERSION, 0], &[VERSION, 0, 3, 7, 8]] {
            assert_eq!(parts(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn oldest_data_key_is_forgotten_first() {
        let mut known = KnownKeys::default();
        let name = |n: usize| n.to_string().into_bytes();
        for n in 0..=MAX_KNOWN {
            known.insert(&name(n), DataKey::new(&[0; 32]));
        }
        assert_eq!((known.by_encrypted.len(), known.oldest.len()), (MAX_KNOWN, MAX_KNOWN));
        assert!(!known.by_encrypted.contains_key(&name(0)) && known.by_encrypted.contains_key(&name(1)));
    }
}
