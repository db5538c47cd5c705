//! What issuer and authorizer need of the world. Adapters give it: KMS and DynamoDB on AWS, a local key and
//! embedded storage in one process.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use contract_identity_v1::TokenRow;
use shared_ports::PortError;
use zeroize::Zeroizing;

/// What a ciphertext is bound to: decryption succeeds only under the context of the encryption. Authenticated
/// but not secret, as KMS has it
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// The `purpose` of a connect token's context.
    pub const CONNECT: &str = "tidings-connect";

    /// The context of connect tokens of `issuer` for `audience`.
    pub fn connect(issuer: &str, audience: &str) -> Self {
        [("purpose", Self::CONNECT), ("iss", issuer), ("aud", audience)].into_iter().collect()
    }

    /// The pairs, in ascending order of key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for EncryptionContext {
    /// Of several pairs with one key the last stands.
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

/// Why a ciphertext could not be decrypted.
#[derive(Debug, thiserror::Error)]
pub enum DecryptError {
    /// The ciphertext is none of this cipher's, was altered, or belongs to another context.
    #[error("the ciphertext is not valid under this encryption context")]
    Refused,
    /// The cipher could not be asked.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

/// Authenticated encryption under a key that never leaves the adapter.
pub trait TokenCipher: Send + Sync {
    /// Encrypts at most 4,096 bytes, the limit of KMS
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>).
    fn encrypt(
        &self,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> impl Future<Output = Result<Vec<u8>, PortError>> + Send;

    /// Decrypts what [`TokenCipher::encrypt`] made under the same context.
    fn decrypt(
        &self,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> impl Future<Output = Result<Vec<u8>, DecryptError>> + Send;
}

/// The table of unused tokens.
pub trait TokenStore: Send + Sync {
    /// Stores the row of a new token.
    fn put(&self, row: TokenRow) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a token's row and returns it: one conditional delete, so that of any number of concurrent
    /// calls exactly one gets the row. `None` when there is none.
    fn take(&self, token_hash: &str) -> impl Future<Output = Result<Option<TokenRow>, PortError>> + Send;

    /// Stores a row unless there is one with its hash, and says whether it did: one conditional write, so that
    /// of any number of concurrent calls exactly one does. The row stays at least until its TTL, across
    /// restarts.
    fn claim(&self, row: TokenRow) -> impl Future<Output = Result<bool, PortError>> + Send;
}

/// Largest key set that is read, in bytes. That of a large issuer has some 10 KiB.
pub const MAX_KEY_SET_BYTES: usize = 256 * 1024;

/// How long to wait for a key set, in all.
pub const KEY_SET_TIMEOUT: Duration = Duration::from_secs(3);

/// Where issuers publish their keys.
pub trait KeySets: Send + Sync {
    /// Fetches the document at `url` with one `GET`, which is not redirected: at most [`MAX_KEY_SET_BYTES`]
    /// within [`KEY_SET_TIMEOUT`]. Every answer but 200 is an error.
    fn fetch(&self, url: &str) -> impl Future<Output = Result<Vec<u8>, PortError>> + Send;
}

/// A shared secret: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes a secret; none is empty, because anyone could sign with that.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes.into());
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The secret's bytes.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret that may be rotated: what was signed with the previous value is good until the next rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersions {
    /// The value to sign with.
    pub current: Secret,
    /// The value before the last rotation.
    pub previous: Option<Secret>,
}

impl SecretVersions {
    /// The values in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// Where shared secrets are kept.
pub trait Secrets: Send + Sync {
    /// Reads the present values of a secret.
    fn read(&self, name: &str) -> impl Future<Output = Result<SecretVersions, PortError>> + Send;
}
