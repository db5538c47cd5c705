//! Cryptography for JSON Web Tokens with ring, which also does this server's TLS.
//!
//! `jsonwebtoken` has two providers of its own. One needs the `rsa` crate, which leaks its key through timing
//! (RUSTSEC-2023-0071, unpatched), the other a C build with cmake. It allows a process to install one other
//! provider, once. Therefore this provider verifies every algorithm that any part of the process accepts.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

/// Installs ring as the process's cryptography provider for JSON Web Tokens. Repeated calls do nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: signer,
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    ONCE.call_once(|| {
        if PROVIDER.install_default().is_err() {
            tracing::warn!("another cryptography provider for JSON Web Tokens is already installed");
        }
    });
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the provider's function type takes a reference")]
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    match (algorithm, key.family()) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes());
            Ok(Box::new(Ed25519Signer(pair.map_err(|_| ErrorKind::InvalidEddsaKey)?)))
        }
        (Algorithm::HS256, AlgorithmFamily::Hmac) => {
            Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))))
        }
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the provider's function type takes a reference")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let public = |verification| {
        let (algorithm, key) = (*algorithm, key.try_get_as_bytes()?.to_vec());
        let key = UnparsedPublicKey::new(verification, key);
        Ok(Box::new(PublicKeyVerifier { algorithm, key }) as Box<dyn JwtVerifier>)
    };
    match (algorithm, key.family(), key.kind()) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed, _) => public(&ED25519 as &dyn VerificationAlgorithm),
        (Algorithm::ES256, AlgorithmFamily::Ec, _) => public(&ECDSA_P256_SHA256_FIXED),
        (Algorithm::RS256, AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(_)) => {
            public(&RSA_PKCS1_2048_8192_SHA256)
        }
        (Algorithm::RS256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Ok(Box::new(Rs256(RsaPublicKeyComponents { n: n.clone(), e: e.clone() })))
        }
        (Algorithm::HS256, AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => {
            Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret))))
        }
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}

struct Ed25519Signer(Ed25519KeyPair);

impl Signer<Vec<u8>> for Ed25519Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Ed25519Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct PublicKeyVerifier {
    algorithm: Algorithm,
    key: UnparsedPublicKey<Vec<u8>>,
}

impl Verifier<Vec<u8>> for PublicKeyVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.key.verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for PublicKeyVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Verifier for a key in the form of key sets: modulus and exponent.
struct Rs256(RsaPublicKeyComponents<Vec<u8>>);

impl Verifier<Vec<u8>> for Rs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = self.0.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature);
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

struct Hs256(hmac::Key);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        // Compares in constant time.
        hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto;
    use serde::Deserialize;

    use super::*;

    /// A token signed by `PyJWT`, with its public JWK or secret.
    #[derive(Deserialize)]
    struct Signed {
        algorithm: Algorithm,
        key: jsonwebtoken::jwk::Jwk,
        token: String,
    }

    fn signed() -> Vec<Signed> {
        serde_json::from_str(include_str!("../../../tests/fixtures/jwt/pyjwt.json")).unwrap()
    }

    #[test]
    fn only_unaltered_tokens_of_pyjwt_are_verified() {
        install();
        assert_eq!(signed().len(), 4);
        for Signed { algorithm, key, token } in signed() {
            let key = DecodingKey::from_jwk(&key).unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            let verify = |message: &str, signature: &str| {
                crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap_or(false)
            };
            assert!(verify(message, signature), "{algorithm:?}");
            assert!(!verify(&format!("{message}x"), signature), "{algorithm:?}");
            assert!(!verify(message, &signature[..signature.len() - 4]), "{algorithm:?}");
            assert!(!verify(message, ""), "{algorithm:?}");
        }
    }

    #[test]
    fn key_verifies_only_its_own_algorithm() {
        install();
        for Signed { algorithm, key, .. } in signed() {
            let key = DecodingKey::from_jwk(&key).unwrap();
            let others = [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
            for other in others.into_iter().filter(|other| *other != algorithm) {
                assert!(crypto::verify("AA", b"", &key, other).is_err(), "{algorithm:?} as {other:?}");
            }
            assert!(crypto::verify("AA", b"", &key, Algorithm::HS512).is_err());
        }
    }

    #[test]
    fn own_signature_is_verified() {
        install();
        let secret = EncodingKey::from_secret(b"secret");
        let signature = crypto::sign(b"message", &secret, Algorithm::HS256).unwrap();
        let key = DecodingKey::from_secret(b"secret");
        assert!(crypto::verify(&signature, b"message", &key, Algorithm::HS256).unwrap());
        assert!(crypto::sign(b"message", &secret, Algorithm::EdDSA).is_err());
    }
}
