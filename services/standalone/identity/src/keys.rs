//! Keys of producers and operators: each with a name, scopes, budgets, an expiry, and secrets that can be rotated.
//!
//! The server's first key is in the files of the data directory ([`credentials`](crate::credentials)) and may do
//! everything. Further keys are rows of a table, of which memory has an index by the hash of the API key and by the
//! id of the key pair. API keys are stored as hashes. Secrets of key pairs must be readable, so they are sealed with
//! a key that is derived from the server's own secrets.
//!
//! A check reads the index under a shared lock that is held for a look-up; a change makes a new index and swaps it
//! in, after its row is durable. Changes exclude each other. A budget has a lock of its own, so keys never wait for
//! each other.

mod error;
mod index;
mod key;
mod name;
mod record;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use contract_notifications_v1::{Timestamp, Version1};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shared_ports::{Moment, PortError};
use shared_sync::IgnorePoison as _;

pub use self::error::{KeyError, KeyRefusal};
use self::index::Index;
pub use self::key::{Key, Limits, OverBudget};
pub use self::name::{InvalidKeyName, KeyName};
use self::record::{HashedKey, Record, SealedKey};
pub use self::scope::{Access, InvalidScope, InvalidScopes, Scope, Scopes};
use super::cipher::LocalCipher;
use super::records::Records;
use super::secrets::{AccessKey, ApiKey, Key256};

/// Largest number of keys.
pub const MAX_KEYS: usize = 1_000;

/// A key to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The name.
    pub name: KeyName,
    /// Its scopes.
    pub scopes: Scopes,
    /// Its limits.
    pub limits: Limits,
    /// Time from which on it is refused.
    pub expires_at: Option<Timestamp>,
    /// True if it gets a key pair for Signature Version 4 too.
    pub signs: bool,
}

/// The secrets of a key, which are shown once.
#[derive(Debug, Clone)]
pub struct NewSecrets {
    /// The API key.
    pub api_key: ApiKey,
    /// The key pair, if the key has one.
    pub access_key: Option<AccessKey>,
}

/// A key as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInfo {
    /// The name.
    pub name: KeyName,
    /// Its scopes.
    pub scopes: Scopes,
    /// Its limits.
    #[serde(flatten)]
    pub limits: Limits,
    /// Time at which it was added; absent for the first key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Time from which on it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Time of its last use, to the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// Time from which on the secrets before the last rotation are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_secrets_until: Option<Timestamp>,
    /// Ids of its key pairs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access_key_ids: Vec<String>,
}

/// The keys of a server. Clones share them.
pub struct Keys<R>(Arc<Inner<R>>);

struct Inner<R> {
    records: R,
    uses: R,
    sealing: LocalCipher,
    defaults: Limits,
    first: (Arc<Key>, ApiKey, AccessKey),
    index: RwLock<Arc<Index>>,
    /// Held during a change, so that changes exclude each other.
    changing: tokio::sync::Mutex<()>,
    /// Times of the last uses that are stored.
    stored_uses: Mutex<HashMap<KeyName, u64>>,
}

impl<R> Clone for Keys<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for Keys<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Secrets and limits for [`Keys::open`].
#[derive(Debug)]
pub struct KeysConfig {
    /// The API key of the first key.
    pub api_key: ApiKey,
    /// The key pair of the first key.
    pub access_key: AccessKey,
    /// The key that seals secrets of key pairs.
    pub sealing_key: Key256,
    /// Limits of the keys that have none of their own. The first key has none.
    pub defaults: Limits,
}

/// The values of the two tables of keys.
#[derive(Debug, Default)]
pub struct StoredKeys {
    /// Values of the table of keys.
    pub keys: Vec<Vec<u8>>,
    /// Values of the table of last uses.
    pub uses: Vec<Vec<u8>>,
}

/// A stored time of a last use.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Use {
    name: KeyName,
    at: u64,
}

impl<R: Records> Keys<R> {
    /// Opens the keys in the table `records`, and the times of their last uses in the table `uses`. `stored` has the
    /// values of both.
    ///
    /// # Errors
    /// [`KeyError::Corrupt`].
    pub fn open(
        records: R,
        uses: R,
        stored: &StoredKeys,
        config: KeysConfig,
        now: Moment,
    ) -> Result<Self, KeyError> {
        let KeysConfig { api_key, access_key, sealing_key, defaults } = config;
        let name = KeyName::first();
        let first = Key::new(name, Scopes::admin(), Limits::default(), None, None, now);
        let keys = Self(Arc::new(Inner {
            sealing: LocalCipher::new(&sealing_key),
            defaults,
            first: (Arc::new(first), api_key, access_key),
            index: RwLock::default(),
            changing: tokio::sync::Mutex::default(),
            stored_uses: Mutex::default(),
            records,
            uses,
        }));
        let mut index = Index::default();
        for bytes in &stored.keys {
            let record: Record = serde_json::from_slice(bytes).map_err(KeyError::Corrupt)?;
            let key = Arc::new(keys.key_of(&record, now));
            index.add(&key, record, &keys.0.sealing);
        }
        let mut stored_uses = HashMap::new();
        for bytes in &stored.uses {
            let Use { name, at } = serde_json::from_slice(bytes).map_err(KeyError::Corrupt)?;
            let key = match name.as_str() {
                KeyName::FIRST => Some(&keys.0.first.0),
                _ => index.keys_by_name.get(&name).map(|(key, _)| key),
            };
            if let Some(key) = key {
                key.last_used_at.store(at, Ordering::Relaxed);
                stored_uses.insert(name, at);
            }
        }
        *keys.0.stored_uses.lock().ignore_poison() = stored_uses;
        keys.swap(index);
        Ok(keys)
    }

    fn key_of(&self, record: &Record, now: Moment) -> Key {
        let Record { name, scopes, limits, created_at, expires_at, .. } = record;
        let limits = Limits {
            rate: limits.rate.or(self.0.defaults.rate),
            bytes: limits.bytes.or(self.0.defaults.bytes),
        };
        Key::new(name.clone(), scopes.clone(), limits, Some(*created_at), *expires_at, now)
    }

    fn index(&self) -> Arc<Index> {
        Arc::clone(&self.0.index.read().ignore_poison())
    }

    fn swap(&self, index: Index) {
        *self.0.index.write().ignore_poison() = Arc::new(index);
    }

    /// Returns the key of which `presented` is the API key.
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Arc<Key>, KeyRefusal> {
        let (first, api_key, _) = &self.0.first;
        let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let key = if api_key.has_digest(&digest) {
            Arc::clone(first)
        } else {
            // A look-up by the hash tells nothing of a key: its 256 bits can't be approached by guesses.
            let index = self.0.index.read().ignore_poison();
            let found = index.api_keys_by_hash.get(&digest).ok_or(KeyRefusal::Unknown)?;
            found.check(now)?;
            Arc::clone(&found.key)
        };
        key.used(now);
        Ok(key)
    }

    /// Returns the key pair of this id and its key. The caller verifies a signature with it and then calls
    /// [`Keys::signed`].
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub fn access_key(&self, id: &str, now: Timestamp) -> Result<(Arc<Key>, AccessKey), KeyRefusal> {
        let (first, _, access_key) = &self.0.first;
        if access_key.id().as_str() == id {
            return Ok((Arc::clone(first), access_key.clone()));
        }
        let index = self.index();
        let found = index.access_keys_by_id.get(id).ok_or(KeyRefusal::Unknown)?;
        found.check(now)?;
        Ok((Arc::clone(&found.key), found.secret.clone()))
    }

    /// Notes the use of a key whose signature was verified.
    pub fn signed(&self, key: &Key, now: Timestamp) {
        key.used(now);
    }

    /// Adds a key and returns its secrets.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn add(&self, new: NewKey, now: Timestamp, moment: Moment) -> Result<NewSecrets, KeyError> {
        let NewKey { name, scopes, limits, expires_at, signs } = new;
        let _changing = self.0.changing.lock().await;
        let index = self.index();
        if name.as_str() == KeyName::FIRST || index.keys_by_name.contains_key(&name) {
            return Err(KeyError::Exists { name });
        }
        if index.keys_by_name.len() >= MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Err(KeyError::Past);
        }
        if let Some(scope) = scopes.iter().find(|scope| !scope.can_match()) {
            return Err(KeyError::ForNobody { scope: scope.clone() });
        }
        let (secrets, hashed, sealed) = self.new_secrets(&name, signs)?;
        let record = Record {
            version: Version1,
            name,
            scopes,
            limits,
            created_at: now,
            expires_at,
            api_keys: vec![hashed],
            access_keys: sealed.into_iter().collect(),
        };
        let key = Arc::new(self.key_of(&record, moment));
        self.store(&key, record).await?;
        Ok(secrets)
    }

    /// Gives a key new secrets, and lets the older ones end after `overlap`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn rotate(
        &self,
        name: &KeyName,
        overlap: Duration,
        now: Timestamp,
    ) -> Result<NewSecrets, KeyError> {
        let _changing = self.0.changing.lock().await;
        let (key, mut record) = self.existing(name)?;
        let (secrets, hashed, sealed) = self.new_secrets(name, !record.access_keys.is_empty())?;
        record.rotate(hashed, sealed, now.plus(overlap), now);
        self.store(&key, record).await?;
        Ok(secrets)
    }

    /// Removes a key and returns its [identity](Key::identity). Requests with it are refused from now on.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn revoke(&self, name: &KeyName) -> Result<String, KeyError> {
        let _changing = self.0.changing.lock().await;
        let (key, _) = self.existing(name)?;
        self.0.records.delete(name.as_str()).await?;
        self.swap(self.index_without(name));
        self.0.stored_uses.lock().ignore_poison().remove(name);
        self.0.uses.delete(name.as_str()).await?;
        Ok(key.identity())
    }

    /// Returns true if there is the key with this [identity](Key::identity).
    pub fn contains(&self, identity: &str) -> bool {
        let Some((name, _)) = identity.split_once('@') else { return identity == KeyName::FIRST };
        KeyName::new(name).is_ok_and(|name| {
            self.index().keys_by_name.get(&name).is_some_and(|(key, _)| key.identity() == identity)
        })
    }

    /// Returns all keys in the order of their names, the first key first.
    pub fn list(&self) -> Vec<KeyInfo> {
        let (first, _, access_key) = &self.0.first;
        let first = KeyInfo {
            name: first.name().clone(),
            scopes: first.scopes().clone(),
            limits: Limits::default(),
            created_at: None,
            expires_at: None,
            last_used_at: first.last_used_at(),
            older_secrets_until: None,
            access_key_ids: vec![access_key.id().to_string()],
        };
        let info = |(key, record): &(Arc<Key>, Record)| KeyInfo {
            name: record.name.clone(),
            scopes: record.scopes.clone(),
            limits: record.limits,
            created_at: Some(record.created_at),
            expires_at: record.expires_at,
            last_used_at: key.last_used_at(),
            older_secrets_until: record.api_keys.iter().filter_map(|key| key.expires_at).max(),
            access_key_ids: record.access_keys.iter().map(|key| key.id.clone()).collect(),
        };
        std::iter::once(first).chain(self.index().keys_by_name.values().map(info)).collect()
    }

    /// Stores the times of last uses that have changed. Call it about once a minute, and at the end.
    ///
    /// # Errors
    /// [`PortError`] if the table can't be written.
    pub async fn store_uses(&self) -> Result<(), PortError> {
        let index = self.index();
        let used = std::iter::once(&self.0.first.0).chain(index.keys_by_name.values().map(|(key, _)| key));
        let changed: Vec<_> = {
            let stored = self.0.stored_uses.lock().ignore_poison();
            used.map(|key| (key.name().clone(), key.last_used_at.load(Ordering::Relaxed)))
                .filter(|(name, at)| *at > stored.get(name).copied().unwrap_or_default())
                .collect()
        };
        for (name, at) in changed {
            // A name and a number always serialize.
            let bytes = serde_json::to_vec(&Use { name: name.clone(), at }).unwrap_or_default();
            self.0.uses.put(name.as_str(), bytes).await?;
            self.0.stored_uses.lock().ignore_poison().insert(name, at);
        }
        Ok(())
    }

    fn existing(&self, name: &KeyName) -> Result<(Arc<Key>, Record), KeyError> {
        if name.as_str() == KeyName::FIRST {
            return Err(KeyError::First);
        }
        let found = self.index().keys_by_name.get(name).cloned();
        found.ok_or_else(|| KeyError::NoSuchKey { name: name.clone() })
    }

    fn new_secrets(
        &self,
        name: &KeyName,
        signs: bool,
    ) -> Result<(NewSecrets, HashedKey, Option<SealedKey>), KeyError> {
        let api_key = ApiKey::generate()?;
        let access_key = signs.then(AccessKey::generate).transpose()?;
        let sealed = access_key.as_ref().map(|key| SealedKey::of(key, name, &self.0.sealing)).transpose()?;
        let hashed = HashedKey::of(&api_key);
        Ok((NewSecrets { api_key, access_key }, hashed, sealed))
    }

    /// Stores a key and then lets it count.
    async fn store(&self, key: &Arc<Key>, record: Record) -> Result<(), KeyError> {
        let bytes = serde_json::to_vec(&record).map_err(KeyError::Corrupt)?;
        self.0.records.put(record.name.as_str(), bytes).await?;
        let mut index = self.index_without(&record.name);
        index.add(key, record, &self.0.sealing);
        self.swap(index);
        Ok(())
    }

    /// Returns a new index of all keys but this one.
    fn index_without(&self, name: &KeyName) -> Index {
        let mut index = Index::default();
        for (key, record) in self.index().keys_by_name.values().filter(|(key, _)| key.name() != name) {
            index.add(key, record.clone(), &self.0.sealing);
        }
        index
    }
}
