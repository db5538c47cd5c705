//! What issuer and authorizer need of the world. Adapters give it: KMS and DynamoDB on AWS, a local key and
//! embedded storage in one process.

use std::collections::BTreeMap;
use std::future::Future;

use contract_identity_v1::TokenRow;
use shared_ports::PortError;

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
}
