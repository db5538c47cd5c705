//! A small set of connections.

use contract_connections_v1::ConnectionId;
use smallvec::SmallVec;

/// A set of connections of one user, in ascending order.
///
/// Every notification in progress has such sets, and most users have one connection: a set of up to one
/// allocates no memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ConnectionSet(SmallVec<[ConnectionId; 1]>);

impl ConnectionSet {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns true if the connection is in the set.
    pub fn contains(&self, connection: &ConnectionId) -> bool {
        self.0.contains(connection)
    }

    /// Adds a connection. Returns false if it was in the set.
    pub fn insert(&mut self, connection: ConnectionId) -> bool {
        match self.0.binary_search(&connection) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, connection);
                true
            }
        }
    }

    /// Removes a connection. Returns false if it was not in the set.
    pub fn remove(&mut self, connection: &ConnectionId) -> bool {
        let found = self.0.binary_search(connection);
        found.map(|at| self.0.remove(at)).is_ok()
    }

    /// Returns true if the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of connections.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the connections in ascending order.
    pub fn iter(&self) -> std::slice::Iter<'_, ConnectionId> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a ConnectionSet {
    type Item = &'a ConnectionId;
    type IntoIter = std::slice::Iter<'a, ConnectionId>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for ConnectionSet {
    type Item = ConnectionId;
    type IntoIter = smallvec::IntoIter<[ConnectionId; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Extend<ConnectionId> for ConnectionSet {
    fn extend<T: IntoIterator<Item = ConnectionId>>(&mut self, connections: T) {
        for connection in connections {
            self.insert(connection);
        }
    }
}

impl FromIterator<ConnectionId> for ConnectionSet {
    fn from_iter<T: IntoIterator<Item = ConnectionId>>(connections: T) -> Self {
        let mut set = Self::new();
        set.extend(connections);
        set
    }
}

impl<const N: usize> From<[ConnectionId; N]> for ConnectionSet {
    fn from(connections: [ConnectionId; N]) -> Self {
        connections.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_kept_once_and_in_order() {
        let [a, b, c] = ["a", "b", "c"].map(ConnectionId::new);
        let mut set = ConnectionSet::new();
        assert!(set.is_empty());
        assert!(set.insert(c.clone()) && set.insert(a.clone()) && !set.insert(c.clone()));
        assert_eq!(set.len(), 2);
        assert!(set.contains(&a) && set.contains(&c) && !set.contains(&b));
        assert_eq!(set, ConnectionSet::from([a.clone(), c.clone(), a.clone()]));
        assert_eq!(set.iter().collect::<Vec<_>>(), [&a, &c]);
        assert!(set.remove(&a) && !set.remove(&a) && !set.remove(&b));
        assert_eq!(set, ConnectionSet::from([c]));
    }
}
