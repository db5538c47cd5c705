//! The open connections of each key: those whose connect token it has asked for. They end when the key is revoked.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use contract_connections_v1::ConnectionId;
use shared_sync::IgnorePoison as _;

/// Ids of open connections by the identity of their key. One lock, for single operations only.
#[derive(Debug, Default)]
pub(super) struct KeyConnections(Mutex<HashMap<String, HashSet<ConnectionId>>>);

/// The entry of a connection, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct KeyConnection {
    all: Arc<KeyConnections>,
    key: String,
    id: ConnectionId,
}

impl KeyConnections {
    pub(super) fn enter(self: &Arc<Self>, key: &str, id: &ConnectionId) -> KeyConnection {
        self.0.lock().ignore_poison().entry(key.to_owned()).or_default().insert(id.clone());
        KeyConnection { all: Arc::clone(self), key: key.to_owned(), id: id.clone() }
    }

    /// Returns the open connections of a key.
    pub(super) fn of(&self, key: &str) -> Vec<ConnectionId> {
        self.0.lock().ignore_poison().get(key).into_iter().flatten().cloned().collect()
    }
}

impl Drop for KeyConnection {
    fn drop(&mut self) {
        let mut by_key = self.all.0.lock().ignore_poison();
        if let Some(ids) = by_key.get_mut(&self.key) {
            ids.remove(&self.id);
            if ids.is_empty() {
                by_key.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_listed_by_key_until_they_end() {
        let connections = Arc::new(KeyConnections::default());
        let [a, b, c] = ["a", "b", "c"].map(ConnectionId::new);
        let _first = connections.enter("shop", &a);
        let second = connections.enter("shop", &b);
        let other = connections.enter("chat", &c);
        assert_eq!(connections.of("shop").len(), 2);
        drop(second);
        assert_eq!((connections.of("shop"), connections.of("chat")), (vec![a], vec![c]));
        drop(other);
        assert!(connections.of("chat").is_empty() && connections.0.lock().unwrap().len() == 1);
    }
}
