//! The traits that issuer and authorizer need. Their adapters use KMS, DynamoDB and Secrets Manager on AWS,
//! and a local key and embedded storage in one process.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, ready};
use std::time::Duration;

use contract_identity_v1::TokenRow;
use contract_notifications_v1::{Timestamp, UserId};
use shared_ports::PortError;
use zeroize::Zeroizing;

/// Context of an encryption. Decryption succeeds only under the same context. It is authenticated but not
/// secret, as in KMS
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// The `purpose` of a connect token's context.
    pub const CONNECT: &str = "tidings-connect";

    /// Returns the context of connect tokens of `issuer` for `audience`.
    pub fn for_connect_tokens(issuer: &str, audience: &str) -> Self {
        [("purpose", Self::CONNECT), ("iss", issuer), ("aud", audience)].into_iter().collect()
    }

    /// Returns the pairs in ascending order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for EncryptionContext {
    /// Collects pairs. For a repeated key the last value is used.
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

/// Errors of decrypting a ciphertext.
#[derive(Debug, thiserror::Error)]
pub enum DecryptError {
    /// The ciphertext is from another cipher, was altered, or has another context.
    #[error("the ciphertext is not valid under this encryption context")]
    Refused,
    /// The cipher could not be reached.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

/// Authenticated encryption under a key that never leaves the adapter.
pub trait TokenCipher: Send + Sync {
    /// Encrypts up to 4,096 bytes, the limit of KMS
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>).
    fn encrypt(
        &self,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> impl Future<Output = Result<Vec<u8>, PortError>> + Send;

    /// Decrypts a ciphertext that [`TokenCipher::encrypt`] made under the same context.
    fn decrypt(
        &self,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> impl Future<Output = Result<Vec<u8>, DecryptError>> + Send;
}

/// The revocations that concern a user and one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revocation {
    /// The user is blocked until this time.
    pub blocked_until: Option<Timestamp>,
    /// The user's credentials that were issued before this time are refused.
    pub issued_before: Option<Timestamp>,
    /// The token is refused until this time.
    pub token_until: Option<Timestamp>,
}

/// The table of unused tokens, of used signatures, and of revocations.
pub trait TokenStore: Send + Sync {
    /// Stores the row of a new token.
    fn put(&self, row: TokenRow) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a token's row and returns it, or `None` if there is no such row. This is one atomic delete: of
    /// any number of concurrent calls exactly one gets the row.
    fn take(&self, token_hash: &str) -> impl Future<Output = Result<Option<TokenRow>, PortError>> + Send;

    /// Stores a row unless a row with the same hash exists, and returns true if it stored it. This is one
    /// conditional write: of any number of concurrent calls exactly one returns true. The row stays at least
    /// until its TTL, across restarts.
    fn claim(&self, row: TokenRow) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Returns what is revoked of a user and of the token with this id (`jti`), if it has one. Reads what was written
    /// before the call. A store without revocations revokes nothing.
    fn revocation(
        &self,
        _user: &UserId,
        _token_id: Option<&str>,
    ) -> impl Future<Output = Result<Revocation, PortError>> + Send {
        ready(Ok(Revocation::default()))
    }
}

/// Largest accepted key set, in bytes. A large issuer's has some 10 KiB.
pub const MAX_KEY_SET_BYTES: usize = 256 * 1024;

/// Time limit for fetching a key set, from connecting to the last byte.
pub const KEY_SET_TIMEOUT: Duration = Duration::from_secs(3);

/// Source of issuers' public keys.
pub trait KeySets: Send + Sync {
    /// Fetches the document at `url` with one `GET`, without following redirects: at most
    /// [`MAX_KEY_SET_BYTES`] within [`KEY_SET_TIMEOUT`]. Every status other than 200 is an error.
    fn fetch(&self, url: &str) -> impl Future<Output = Result<Vec<u8>, PortError>> + Send;
}

/// A shared secret. Its memory is wiped on drop, and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Creates a secret; `None` if it is empty, because anyone could sign with an empty secret.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes.into());
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// Returns the secret's bytes.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The values of a secret that may be rotated. Signatures with the previous value are valid until the next
/// rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersions {
    /// The current value.
    pub current: Secret,
    /// The value before the last rotation.
    pub previous: Option<Secret>,
}

impl SecretVersions {
    /// Returns the values in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// Source of shared secrets.
pub trait Secrets: Send + Sync {
    /// Reads the values of a secret.
    fn read(&self, name: &str) -> impl Future<Output = Result<SecretVersions, PortError>> + Send;
}
