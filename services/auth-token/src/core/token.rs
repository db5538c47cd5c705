//! The form of a connect token, base64url without padding, and the keys of rows in the tokens' table.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Longest accepted credential, in bytes. The issuer issues no longer tokens.
pub const MAX_CREDENTIAL_BYTES: usize = 4 * 1024;

/// Returns the key of a token's row: the token's SHA-256 in lower-case hex.
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Returns the key of the row of a used signature. Its prefix tells it from the keys of tokens.
pub(crate) fn used_signature_key(signature: &str) -> String {
    format!("hmac-{}", hex::encode(Sha256::digest(signature.as_bytes())))
}

/// Encodes a ciphertext as a token.
pub(crate) fn encode(ciphertext: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(ciphertext)
}

/// Decodes a token to its ciphertext; `None` if the text does not have the form of a token. Each ciphertext
/// has exactly one token: padding and stray trailing bits are refused.
pub(crate) fn decode(token: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(token).ok().filter(|ciphertext| !ciphertext.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn token_hash_is_sha_256_in_hex() {
        assert_eq!(token_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(ciphertext in prop::collection::vec(any::<u8>(), 1..300)) {
            prop_assert_eq!(decode(&encode(&ciphertext)), Some(ciphertext));
        }

        #[test]
        fn ciphertext_has_exactly_one_token(text in "[A-Za-z0-9_=+/-]{0,12}") {
            if let Some(ciphertext) = decode(&text) {
                prop_assert_eq!(encode(&ciphertext), text);
            }
        }
    }
}
