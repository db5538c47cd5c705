//! The open connections, by user and by id.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, Mutex};

use contract_connections_v1::{Connection, ConnectionId};
use contract_notifications_v1::UserId;

use shared_sync::IgnorePoison as _;

use super::entry::Entry;

/// Number of locks: a power of two well above the number of cores.
const SHARDS: usize = 64;

type Shard<K, V> = Mutex<HashMap<K, V>>;

/// The table. Each lock is held for a few assignments only.
#[derive(Debug)]
pub(super) struct Table {
    users: Box<[Shard<UserId, Vec<Arc<Entry>>>]>,
    ids: Box<[Shard<ConnectionId, Arc<Entry>>]>,
    hasher: RandomState,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            users: (0..SHARDS).map(|_| Shard::default()).collect(),
            ids: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    fn shard<'a, K: Hash, V>(&self, shards: &'a [Shard<K, V>], key: &K) -> &'a Shard<K, V> {
        let hash = self.hasher.hash_one(key);
        // The low bits: a remainder fits.
        #[expect(clippy::cast_possible_truncation, reason = "a remainder of SHARDS")]
        let index = (hash % SHARDS as u64) as usize;
        &shards[index]
    }

    /// Inserts a connection and returns the one that had its id.
    pub(super) fn insert(&self, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        let id = &entry.row.connection_id;
        let earlier = self.shard(&self.ids, id).lock().ignore_poison().insert(id.clone(), entry.clone());
        if let Some(earlier) = &earlier {
            self.remove_from_user(earlier);
        }
        let user = &entry.row.user_id;
        self.shard(&self.users, user)
            .lock()
            .ignore_poison()
            .entry(user.clone())
            .or_default()
            .push(entry.clone());
        earlier
    }

    /// Removes a connection, if it is in the table.
    pub(super) fn remove(&self, entry: &Arc<Entry>) {
        self.remove_from_user(entry);
        let id = &entry.row.connection_id;
        let mut ids = self.shard(&self.ids, id).lock().ignore_poison();
        if ids.get(id).is_some_and(|known| Arc::ptr_eq(known, entry)) {
            ids.remove(id);
        }
    }

    fn remove_from_user(&self, entry: &Arc<Entry>) {
        let user = &entry.row.user_id;
        let mut users = self.shard(&self.users, user).lock().ignore_poison();
        if let Some(entries) = users.get_mut(user) {
            entries.retain(|known| !Arc::ptr_eq(known, entry));
            if entries.is_empty() {
                users.remove(user);
            }
        }
    }

    pub(super) fn by_id(&self, id: &ConnectionId) -> Option<Arc<Entry>> {
        self.shard(&self.ids, id).lock().ignore_poison().get(id).cloned()
    }

    pub(super) fn get(&self, user: &UserId, id: &ConnectionId) -> Option<Arc<Entry>> {
        let users = self.shard(&self.users, user).lock().ignore_poison();
        users.get(user)?.iter().find(|entry| entry.row.connection_id == *id).cloned()
    }

    /// Returns what `row` makes of each connection of a user.
    pub(super) fn of(&self, user: &UserId, row: impl Fn(&Entry) -> Connection) -> Vec<Connection> {
        let users = self.shard(&self.users, user).lock().ignore_poison();
        users.get(user).map(|entries| entries.iter().map(|entry| row(entry)).collect()).unwrap_or_default()
    }

    /// Returns true if a user has connections and `predicate` holds for all.
    pub(super) fn has_only(&self, user: &UserId, predicate: impl Fn(&Entry) -> bool) -> bool {
        let users = self.shard(&self.users, user).lock().ignore_poison();
        users.get(user).is_some_and(|entries| entries.iter().all(|entry| predicate(entry)))
    }

    /// Returns true if the user of this connection has another one.
    pub(super) fn has_other(&self, entry: &Entry) -> bool {
        let users = self.shard(&self.users, &entry.row.user_id).lock().ignore_poison();
        users.get(&entry.row.user_id).is_some_and(|entries| entries.len() > 1)
    }

    /// Returns the connections of a user.
    pub(super) fn entries_of(&self, user: &UserId) -> Vec<Arc<Entry>> {
        self.shard(&self.users, user).lock().ignore_poison().get(user).cloned().unwrap_or_default()
    }

    /// Calls `visit` for every connection, under a lock: it must not use the table.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<Entry>)) {
        for shard in &self.ids {
            shard.lock().ignore_poison().values().for_each(&mut visit);
        }
    }

    /// Returns all connections, the oldest first.
    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        let mut entries = Vec::new();
        self.for_each(|entry| entries.push(entry.clone()));
        entries.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        entries
    }
}
