//! The index of keys, by name and by their secrets.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use contract_notifications_v1::Timestamp;

use super::error::KeyRefusal;
use super::key::Key;
use super::name::KeyName;
use super::record::Record;
use crate::cipher::LocalCipher;
use crate::secrets::AccessKey;

/// A secret in the index.
#[derive(Clone)]
pub(super) struct Indexed<T> {
    pub(super) key: Arc<Key>,
    pub(super) secret: T,
    expires_at: Option<Timestamp>,
}

impl<T> Indexed<T> {
    /// Checks that neither the key nor this secret of it has expired.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), KeyRefusal> {
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(KeyRefusal::Unknown);
        }
        if self.key.expires_at().is_some_and(|at| at <= now) {
            return Err(KeyRefusal::Expired { name: self.key.name().clone() });
        }
        Ok(())
    }
}

/// The keys in memory.
#[derive(Default)]
pub(super) struct Index {
    pub(super) keys_by_name: BTreeMap<KeyName, (Arc<Key>, Record)>,
    pub(super) api_keys_by_hash: HashMap<[u8; 32], Indexed<()>>,
    pub(super) access_keys_by_id: HashMap<String, Indexed<AccessKey>>,
}

impl Index {
    /// Adds a key with its secrets.
    pub(super) fn add(&mut self, key: &Arc<Key>, record: Record, sealing: &LocalCipher) {
        for stored in &record.api_keys {
            if let Some(digest) = stored.digest() {
                let indexed = Indexed { key: Arc::clone(key), secret: (), expires_at: stored.expires_at };
                self.api_keys_by_hash.insert(digest, indexed);
            }
        }
        for stored in &record.access_keys {
            if let Some(secret) = stored.unseal(&record.name, sealing) {
                let indexed = Indexed { key: Arc::clone(key), secret, expires_at: stored.expires_at };
                self.access_keys_by_id.insert(stored.id.clone(), indexed);
            } else {
                tracing::error!(
                    key = record.name.as_str(),
                    "a key pair can't be unsealed, because the server's secrets have changed; rotate the key"
                );
            }
        }
        self.keys_by_name.insert(record.name.clone(), (Arc::clone(key), record));
    }
}
