//! Types of secrets.
//!
//! Secrets come from the operating system's random numbers, are wiped when dropped, and appear in no `Debug`
//! output.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// The operating system returned no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system returned no random bytes")]
pub struct NoRandomness;

/// Returns `N` random bytes.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A text does not have the form of a secret. The error contains nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be {expected}")]
pub struct InvalidSecret {
    /// The required form.
    pub expected: &'static str,
}

/// A key of 256 bits.
#[derive(Clone)]
pub struct Key256(Zeroizing<[u8; 32]>);

impl Key256 {
    const FORM: InvalidSecret = InvalidSecret { expected: "32 bytes in base64url without padding" };

    /// Returns a new key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// Returns the key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, InvalidSecret> {
        let mut key = Zeroizing::new([0; 32]);
        // 43 characters decode to at most 32 bytes, the size of the buffer.
        if text.len() != 43 || URL_SAFE_NO_PAD.decode_slice(text, key.as_mut_slice()) != Ok(32) {
            return Err(Self::FORM);
        }
        Ok(Self(key))
    }

    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for Key256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key256(…)")
    }
}

/// The key of producers, sent as `Authorization: Bearer tidings_…`.
#[derive(Clone)]
pub struct ApiKey {
    text: Zeroizing<String>,
    digest: [u8; 32],
}

impl ApiKey {
    /// Prefix of every key, by which people and secret scanners recognise one.
    pub const PREFIX: &str = "tidings_";
    const FORM: InvalidSecret =
        InvalidSecret { expected: "\"tidings_\" and 32 bytes in base64url without padding" };

    /// Returns a new key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        let key = Key256::generate()?;
        Ok(Self::of(Zeroizing::new([Self::PREFIX, &key.to_text()].concat())))
    }

    /// Parses a key. Ignores white space around it.
    ///
    /// # Errors
    /// [`InvalidSecret`] if the text does not have the form of a key.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let text = text.trim();
        text.strip_prefix(Self::PREFIX)
            .and_then(|random| Key256::from_text(random).ok())
            .ok_or(Self::FORM)?;
        Ok(Self::of(Zeroizing::new(text.to_owned())))
    }

    fn of(text: Zeroizing<String>) -> Self {
        let digest = Sha256::digest(text.as_bytes()).into();
        Self { text, digest }
    }

    /// Returns true if `presented` is this key.
    ///
    /// Compares digests in constant time, so the duration reveals nothing about the key.
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.has_digest(&Sha256::digest(presented).into())
    }

    /// Returns true if this is the key's SHA-256. Takes the same time for every digest.
    pub(crate) fn has_digest(&self, digest: &[u8; 32]) -> bool {
        digest.ct_eq(&self.digest).into()
    }

    /// Returns the key's SHA-256.
    pub(crate) const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Returns the key as text, for a client to send.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The id of an access key. Not secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccessKeyId(Box<str>);

impl AccessKeyId {
    /// Parses the id of an access key.
    ///
    /// # Errors
    /// [`InvalidSecret`] unless the text is 8 to 128 upper-case letters and digits.
    pub fn new(text: &str) -> Result<Self, InvalidSecret> {
        let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if (8..=128).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSecret { expected: "8 to 128 upper-case letters and digits" })
        }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key pair for Signature Version 4, in the form of AWS's key pairs.
#[derive(Clone)]
pub struct AccessKey {
    id: AccessKeyId,
    secret: Zeroizing<String>,
}

impl AccessKey {
    /// Prefix of generated ids. Differs from AWS's `AKIA`, so that the key is not mistaken for one of AWS.
    const PREFIX: &str = "TDGS";

    /// Returns a new key pair: an id of 20 upper-case letters and digits, and a secret of 40 characters.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        // The 32 characters of base32, so that each is equally likely.
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let id = random::<16>()?
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect::<String>();
        let secret = STANDARD_NO_PAD.encode(random::<30>()?.as_slice());
        Ok(Self { id: AccessKeyId(format!("{}{id}", Self::PREFIX).into()), secret: Zeroizing::new(secret) })
    }

    /// Returns the pair of `id` and `secret`.
    ///
    /// # Errors
    /// [`InvalidSecret`] unless the secret has 40 characters of ASCII without white space.
    pub fn new(id: AccessKeyId, mut secret: String) -> Result<Self, InvalidSecret> {
        if secret.len() == 40 && secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self { id, secret: Zeroizing::new(secret) });
        }
        secret.zeroize();
        Err(InvalidSecret { expected: "40 characters of ASCII without white space" })
    }

    /// Returns the pair's id.
    pub fn id(&self) -> &AccessKeyId {
        &self.id
    }

    /// Returns the secret, for a client to sign with.
    pub fn reveal(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn api_key_matches_only_itself() {
        let key = ApiKey::generate().unwrap();
        assert_eq!(key.reveal().len(), 8 + 43);
        assert!(key.matches(key.reveal().as_bytes()));
        assert!(ApiKey::parse(&format!("{}\n", key.reveal())).unwrap().matches(key.reveal().as_bytes()));
        assert!(!key.matches(ApiKey::generate().unwrap().reveal().as_bytes()));
        assert!(!key.matches(b""));
        assert!(!key.matches(&key.reveal().as_bytes()[..50]));
    }

    #[test]
    fn malformed_secret_is_refused() {
        let random = "A".repeat(43);
        assert!(ApiKey::parse(&format!("tidings_{random}")).is_ok());
        for bad in [String::new(), random.clone(), format!("tidings_{random}A"), "tidings_".to_owned()] {
            assert_eq!(ApiKey::parse(&bad).unwrap_err(), ApiKey::FORM, "{bad}");
        }
        // 43 characters carry 258 bits: the last two must be zero.
        assert!(Key256::from_text(&format!("{}B", "A".repeat(42))).is_err());
        assert!(Key256::from_text(&format!("{}+", "A".repeat(42))).is_err());
    }

    #[test]
    fn key_pair_has_the_form_of_aws_keys() {
        let pair = AccessKey::generate().unwrap();
        assert_eq!(pair.id().as_str().len(), 20);
        assert_eq!(pair.reveal().len(), 40);
        AccessKey::new(AccessKeyId::new(pair.id().as_str()).unwrap(), pair.reveal().to_owned()).unwrap();
        assert!(AccessKeyId::new("lower-case").is_err());
        assert!(AccessKey::new(pair.id().clone(), "short".to_owned()).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let (key, api, pair) =
            (Key256::generate().unwrap(), ApiKey::generate().unwrap(), AccessKey::generate().unwrap());
        let debug = format!("{key:?} {api:?} {pair:?}");
        for secret in [&*key.to_text(), api.reveal(), pair.reveal()] {
            assert!(!debug.contains(secret));
        }
        assert!(debug.contains(pair.id().as_str()));
    }

    proptest! {
        #[test]
        fn key_round_trips_as_text(bytes: [u8; 32]) {
            let key = Key256::from_bytes(bytes);
            let read = Key256::from_text(&key.to_text()).unwrap();
            prop_assert_eq!(read.as_bytes(), &bytes);
        }
    }
}
