//! Rate limits of clients, counted in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Timestamp, UserId};
use shared_ports::PortError;
use shared_sync::IgnorePoison as _;
use ws_edge::RateLimit;
use ws_edge::ports::{RateKey, RateLimits};

/// Number of windows from which on those that ended are looked for.
const FIRST_PRUNE: usize = 1_024;

/// The subject of a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Connection(ConnectionId),
    User(UserId),
}

#[derive(Debug)]
struct Window {
    ends: Timestamp,
    count: u32,
}

#[derive(Debug)]
struct Windows {
    by_key: HashMap<Key, Window>,
    prune_at: usize,
}

/// The counts of all clients. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryRates(Arc<Mutex<Windows>>);

impl Default for MemoryRates {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Windows { by_key: HashMap::new(), prune_at: FIRST_PRUNE })))
    }
}

impl Windows {
    /// Removes windows that ended, whenever there are twice as many as the last removal left.
    fn prune(&mut self, now: Timestamp) {
        if self.by_key.len() >= self.prune_at {
            self.by_key.retain(|_, window| window.ends > now);
            self.prune_at = (2 * self.by_key.len()).max(FIRST_PRUNE);
        }
    }
}

impl RateLimits for MemoryRates {
    async fn take(
        &self,
        key: RateKey<'_>,
        limit: RateLimit,
        now: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        let key = match key {
            RateKey::Connection(id) => Key::Connection(id.clone()),
            RateKey::User(id) => Key::User(id.clone()),
        };
        let mut windows = self.0.lock().ignore_poison();
        windows.prune(now);
        let fresh = || Window { ends: now.plus(limit.per), count: 1 };
        match windows.by_key.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(fresh());
            }
            // It is over, or the clock was set back since it began.
            Entry::Occupied(mut occupied)
                if occupied.get().ends <= now || occupied.get().ends > now.plus(limit.per) =>
            {
                occupied.insert(fresh());
            }
            Entry::Occupied(occupied) if occupied.get().count >= limit.most => {
                return Ok(Some(occupied.get().ends.since(now)));
            }
            Entry::Occupied(mut occupied) => occupied.get_mut().count += 1,
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ended_windows_are_removed() {
        let rates = MemoryRates::default();
        let limit = RateLimit { most: 1, per: Duration::from_secs(1) };
        for n in 0..10_000_u64 {
            let id = ConnectionId::new(n.to_string());
            let now = Timestamp::from_millis(n * 10);
            assert_eq!(rates.take(RateKey::Connection(&id), limit, now).await.unwrap(), None);
        }
        // A hundred are open at a time.
        assert!(rates.0.lock().unwrap().by_key.len() <= FIRST_PRUNE);
    }
}
