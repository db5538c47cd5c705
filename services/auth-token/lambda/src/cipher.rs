//! The cipher of connect tokens on KMS.

use std::collections::HashMap;

use auth_token::ports::{DecryptError, EncryptionContext, TokenCipher};
use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::decrypt::DecryptError as KmsDecryptError;
use aws_sdk_kms::primitives::Blob;
use shared_aws::port_error;
use shared_ports::PortError;

/// Encrypts and decrypts connect tokens with a symmetric KMS key.
#[derive(Debug, Clone)]
pub struct KmsCipher {
    client: Client,
    key: String,
}

impl KmsCipher {
    /// Creates a cipher with the key of this id, ARN or alias.
    pub fn new(sdk: &SdkConfig, key: &str) -> Self {
        Self { client: Client::new(sdk), key: key.to_owned() }
    }
}

fn pairs(context: &EncryptionContext) -> HashMap<String, String> {
    context.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

impl TokenCipher for KmsCipher {
    async fn encrypt(&self, plaintext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, PortError> {
        const OPERATION: &str = "encrypting a token";
        let encrypted = self
            .client
            .encrypt()
            .key_id(&self.key)
            .plaintext(Blob::new(plaintext))
            .set_encryption_context(Some(pairs(context)))
            .send()
            .await
            .map_err(|error| port_error(OPERATION, error))?;
        let ciphertext = encrypted.ciphertext_blob;
        ciphertext
            .map(Blob::into_inner)
            .ok_or_else(|| PortError::permanent(OPERATION, "no ciphertext in the answer"))
    }

    async fn decrypt(&self, ciphertext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, DecryptError> {
        const OPERATION: &str = "decrypting a token";
        let decrypted = self
            .client
            .decrypt()
            .key_id(&self.key)
            .ciphertext_blob(Blob::new(ciphertext))
            .set_encryption_context(Some(pairs(context)))
            .send()
            .await;
        match decrypted {
            Ok(output) => Ok(output.plaintext.map(Blob::into_inner).unwrap_or_default()),
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
