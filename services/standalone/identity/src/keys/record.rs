//! The stored form of a key: its secrets as hashes or sealed.

use auth_token::ports::EncryptionContext;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract_notifications_v1::{Timestamp, Version1};
use serde::{Deserialize, Serialize};
use shared_ports::PortError;
use zeroize::Zeroizing;

use super::{KeyName, Limits, Scopes};
use crate::cipher::LocalCipher;
use crate::secrets::{AccessKey, AccessKeyId, ApiKey};

/// Largest number of secrets of one kind that are valid at the same time: the newest, and those before it that a
/// rotation left valid for a while.
pub(super) const MAX_SECRETS: usize = 4;

/// A stored key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) version: Version1,
    pub(super) name: KeyName,
    pub(super) scopes: Scopes,
    #[serde(flatten)]
    pub(super) limits: Limits,
    pub(super) created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
    /// The newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) api_keys: Vec<HashedKey>,
    /// The newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) access_keys: Vec<SealedKey>,
}

/// An API key, of which only the hash is stored. Its 256 random bits need no salt and no slow hash.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HashedKey {
    /// SHA-256, in lower-case hex.
    pub(super) sha256: String,
    /// Set by a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
}

/// A key pair. Its secret must be readable to verify a signature, so it is encrypted.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SealedKey {
    pub(super) id: String,
    /// The secret under the sealing key, in base64url.
    pub(super) sealed: String,
    /// Set by a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
}

impl HashedKey {
    pub(super) fn of(key: &ApiKey) -> Self {
        Self { sha256: hex::encode(key.digest()), expires_at: None }
    }

    pub(super) fn digest(&self) -> Option<[u8; 32]> {
        hex::decode(&self.sha256).ok()?.try_into().ok()
    }
}

impl SealedKey {
    pub(super) fn of(key: &AccessKey, name: &KeyName, sealing: &LocalCipher) -> Result<Self, PortError> {
        let sealed = sealing.seal(key.reveal().as_bytes(), &context(name, key.id().as_str()))?;
        Ok(Self { id: key.id().to_string(), sealed: URL_SAFE_NO_PAD.encode(sealed), expires_at: None })
    }

    /// Returns the key pair; `None` if another sealing key sealed it.
    pub(super) fn unseal(&self, name: &KeyName, sealing: &LocalCipher) -> Option<AccessKey> {
        let sealed = URL_SAFE_NO_PAD.decode(&self.sealed).ok()?;
        let secret = Zeroizing::new(sealing.open(&sealed, &context(name, &self.id))?);
        let secret = std::str::from_utf8(&secret).ok()?.to_owned();
        AccessKey::new(AccessKeyId::new(&self.id).ok()?, secret).ok()
    }
}

/// A sealed secret is valid for its key and its id alone.
fn context(name: &KeyName, id: &str) -> EncryptionContext {
    [("purpose", "tidings-access-key"), ("key", name.as_str()), ("id", id)].into_iter().collect()
}

impl Record {
    /// Adds new secrets, and lets the older ones expire at `older_until`. Expired ones, and the oldest beyond
    /// [`MAX_SECRETS`], are removed.
    pub(super) fn rotate(
        &mut self,
        api_key: HashedKey,
        access_key: Option<SealedKey>,
        older_until: Timestamp,
        now: Timestamp,
    ) {
        let end = |expires_at: &mut Option<Timestamp>| {
            *expires_at = Some(expires_at.map_or(older_until, |at| at.min(older_until)));
        };
        self.api_keys.iter_mut().for_each(|key| end(&mut key.expires_at));
        self.access_keys.iter_mut().for_each(|key| end(&mut key.expires_at));
        self.api_keys.push(api_key);
        self.access_keys.extend(access_key);
        let is_live = |expires_at: Option<Timestamp>| expires_at.is_none_or(|at| at > now);
        self.api_keys.retain(|key| is_live(key.expires_at));
        self.access_keys.retain(|key| is_live(key.expires_at));
        self.api_keys.drain(..self.api_keys.len().saturating_sub(MAX_SECRETS));
        self.access_keys.drain(..self.access_keys.len().saturating_sub(MAX_SECRETS));
    }
}
