//! The open connections of each credential that can be revoked by itself: an API key that asked for the connect token, and
//! a JSON Web Token with an id. They end when it is revoked.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use contract_connections_v1::ConnectionId;
use contract_identity_v1::Principal;
use shared_sync::IgnorePoison as _;

/// A credential that a connection stands on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// An API key, by its identity.
    Key(String),
    /// A JSON Web Token, by its id.
    Token(String),
}

impl Source {
    /// Returns the credentials of a principal.
    pub(super) fn of(principal: &Principal) -> impl Iterator<Item = Self> {
        let Principal { source_key, source_token, .. } = principal;
        source_key.clone().map(Self::Key).into_iter().chain(source_token.clone().map(Self::Token))
    }
}

/// Ids of open connections by their credentials. One lock, for single operations only.
#[derive(Debug, Default)]
pub(super) struct CredentialConnections(Mutex<HashMap<Source, HashSet<ConnectionId>>>);

/// The entries of a connection, which end when this is dropped.
#[derive(Debug)]
pub(super) struct CredentialConnection {
    all: Arc<CredentialConnections>,
    sources: Vec<Source>,
    id: ConnectionId,
}

impl CredentialConnections {
    /// Enters a connection of a principal.
    pub(super) fn enter(self: &Arc<Self>, principal: &Principal, id: &ConnectionId) -> CredentialConnection {
        let sources: Vec<_> = Source::of(principal).collect();
        let mut by_source = self.0.lock().ignore_poison();
        for source in &sources {
            by_source.entry(source.clone()).or_default().insert(id.clone());
        }
        CredentialConnection { all: Arc::clone(self), sources, id: id.clone() }
    }

    /// Returns the open connections of a credential.
    pub(super) fn of(&self, source: &Source) -> Vec<ConnectionId> {
        self.0.lock().ignore_poison().get(source).into_iter().flatten().cloned().collect()
    }
}

impl Drop for CredentialConnection {
    fn drop(&mut self) {
        let mut by_source = self.all.0.lock().ignore_poison();
        for source in &self.sources {
            if let Some(ids) = by_source.get_mut(source) {
                ids.remove(&self.id);
                if ids.is_empty() {
                    by_source.remove(source);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use contract_identity_v1::AuthenticationMethod;
    use contract_notifications_v1::{UserId, Version1};

    use super::*;

    fn principal(key: Option<&str>, token: Option<&str>) -> Principal {
        Principal {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            username: None,
            method: AuthenticationMethod::Token,
            hubs: Vec::new(),
            expires_at: None,
            source_key: key.map(str::to_owned),
            source_token: token.map(str::to_owned),
        }
    }

    #[test]
    fn connections_are_listed_by_credential_until_they_end() {
        let connections = Arc::new(CredentialConnections::default());
        let [a, b, c] = ["a", "b", "c"].map(ConnectionId::new);
        let (shop, same_id) = (Source::Key("shop".to_owned()), Source::Token("shop".to_owned()));
        let _first = connections.enter(&principal(Some("shop"), None), &a);
        let second = connections.enter(&principal(Some("shop"), Some("shop")), &b);
        let other = connections.enter(&principal(None, Some("other")), &c);
        assert_eq!((connections.of(&shop).len(), connections.of(&same_id)), (2, vec![b]));
        drop(second);
        assert_eq!((connections.of(&shop), connections.of(&same_id)), (vec![a], vec![]));
        drop(other);
        assert_eq!(connections.0.lock().unwrap().len(), 1);
    }
}
