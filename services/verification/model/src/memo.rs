//! Results that are computed once and shared by all threads.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{PoisonError, RwLock};

const SHARDS: usize = 16;

/// A 64-bit hash that stands for a value. Two different values share it with a probability of 2⁻⁶⁴.
pub(crate) fn fingerprint(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A table of results by their key, in shards with a lock each.
#[derive(Debug)]
pub(crate) struct Memo<K, V>([RwLock<HashMap<K, V>>; SHARDS]);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }
}

impl<K: Hash + Eq, V: Clone> Memo<K, V> {
    /// Returns the result for `key`, computing it if it is not known. Threads that ask at the same time may
    /// all compute it; the first result is kept.
    pub(crate) fn get(&self, key: K, compute: impl FnOnce() -> V) -> V {
        let shard = usize::try_from(fingerprint(&key) % 16).unwrap_or_default();
        let shard = &self.0[shard % SHARDS];
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let new = compute();
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        shard.entry(key).or_insert(new).clone()
    }
}
