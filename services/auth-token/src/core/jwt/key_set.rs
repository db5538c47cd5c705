//! JSON Web Key Sets (RFC 7517).

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::algorithm::JwtAlgorithm;

/// The document is not a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the document is not a JSON Web Key Set")]
pub struct InvalidKeySet;

/// An issuer's public keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet(Vec<Jwk>);

impl KeySet {
    /// Parses a key set. It ignores keys of unknown form, as RFC 7517 (section 5) recommends, and shared
    /// secrets, which do not belong into a published set.
    ///
    /// # Errors
    /// [`InvalidKeySet`] if the document does not have the form of a key set.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidKeySet> {
        #[derive(Deserialize)]
        struct Form<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let form: Form<'_> = serde_json::from_slice(json).map_err(|_| InvalidKeySet)?;
        let keys = form.keys.into_iter().filter_map(|key| serde_json::from_str(key.get()).ok());
        Ok(Self(keys.filter(is_public).collect()))
    }

    /// Returns the keys that a token may be signed with: those with its `kid`, or, for a token without `kid`,
    /// the only key for the algorithm.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: JwtAlgorithm) -> Vec<DecodingKey> {
        let usable: Vec<_> = self.0.iter().filter(|key| is_usable(key, algorithm)).collect();
        let named = |key: &&&Jwk| key.common.key_id.as_deref() == kid;
        let found: Vec<_> = match kid {
            Some(_) => usable.iter().filter(named).copied().collect(),
            None if usable.len() == 1 => usable,
            None => Vec::new(),
        };
        found.into_iter().filter_map(|key| DecodingKey::from_jwk(key).ok()).collect()
    }
}

fn is_public(key: &Jwk) -> bool {
    use AlgorithmParameters::{EllipticCurve, OctetKeyPair, RSA};
    matches!(key.algorithm, EllipticCurve(_) | OctetKeyPair(_) | RSA(_))
}

/// Returns true if a key can verify signatures of an algorithm and its issuer allows that.
fn is_usable(key: &Jwk, algorithm: JwtAlgorithm) -> bool {
    let common = &key.common;
    let (has_type, name) = match (algorithm, &key.algorithm) {
        (JwtAlgorithm::Rs256, AlgorithmParameters::RSA(_)) => (true, KeyAlgorithm::RS256),
        (JwtAlgorithm::Es256, AlgorithmParameters::EllipticCurve(parameters)) => {
            (parameters.curve == EllipticCurve::P256, KeyAlgorithm::ES256)
        }
        (JwtAlgorithm::EdDsa, AlgorithmParameters::OctetKeyPair(parameters)) => {
            (parameters.curve == EllipticCurve::Ed25519, KeyAlgorithm::EdDSA)
        }
        _ => return false,
    };
    let verifies = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
    has_type
        && common.key_algorithm.is_none_or(|own| own == name)
        && common.public_key_use.as_ref().is_none_or(|own| *own == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(verifies)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn okp(kid: &str, others: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"{kid}"{others}}}"#)
    }

    fn set(keys: &[String]) -> KeySet {
        KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
    }

    #[test]
    fn key_is_found_by_id_and_algorithm() {
        let set = set(&[okp("a", ""), okp("b", r#","alg":"EdDSA","use":"sig""#)]);
        for kid in ["a", "b"] {
            assert_eq!(set.find(Some(kid), JwtAlgorithm::EdDsa).len(), 1);
            assert!(set.find(Some(kid), JwtAlgorithm::Rs256).is_empty());
            assert!(set.find(Some(kid), JwtAlgorithm::Hs256).is_empty());
        }
        assert!(set.find(Some("c"), JwtAlgorithm::EdDsa).is_empty());
    }

    #[test]
    fn token_without_kid_needs_a_single_key() {
        assert_eq!(set(&[okp("a", "")]).find(None, JwtAlgorithm::EdDsa).len(), 1);
        assert!(set(&[okp("a", ""), okp("b", "")]).find(None, JwtAlgorithm::EdDsa).is_empty());
    }

    #[test]
    fn key_for_another_use_is_not_found() {
        for others in [r#","use":"enc""#, r#","alg":"RS256""#, r#","key_ops":["encrypt"]"#] {
            assert!(set(&[okp("a", others)]).find(Some("a"), JwtAlgorithm::EdDsa).is_empty(), "{others}");
        }
    }

    #[test]
    fn unknown_keys_and_secrets_are_ignored() {
        let strange = [r#"{"kty":"XYZ"}"#, r#"{"kty":"oct","k":"AAAA","kid":"a"}"#, "7", r#"{"kty":"RSA"}"#];
        let mut keys: Vec<_> = strange.map(str::to_owned).into();
        keys.push(okp("a", ""));
        assert_eq!(set(&keys).0.len(), 1);
        for text in ["", "[]", "{}", r#"{"keys":{}}"#] {
            assert_eq!(KeySet::parse(text.as_bytes()), Err(InvalidKeySet));
        }
    }
}
