//! Rate limits of clients, counted in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Timestamp, UserId};
use shared_ports::PortError;
use shared_sync::IgnorePoison as _;
use ws_edge::RateLimit;
use ws_edge::ports::{Counted, RateKey, RateLimits};

/// Number of windows from which on those that ended are looked for.
const FIRST_PRUNE: usize = 1_024;

/// Maximum number of windows. Beyond it those of which less than half is used are removed, and then further owners share
/// one window of each kind.
const MAX_WINDOWS: usize = 65_536;

/// Time between two removals of little used windows.
const REMOVE_EVERY: Duration = Duration::from_secs(1);

/// The subject of a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Connection(ConnectionId),
    User(Counted, UserId),
    /// The guests of an address.
    Guests(Counted, IpAddr),
    /// All owners without a window of their own.
    Others(Counted),
}

impl Key {
    fn of(key: RateKey<'_>) -> Self {
        match key {
            RateKey::Connection(id) => Self::Connection(id.clone()),
            RateKey::User(counted, user) => Self::User(counted, user.clone()),
            RateKey::Guests(counted, address) => Self::Guests(counted, address),
        }
    }

    /// Returns the key that owners without a window share.
    const fn shared(&self) -> Self {
        match self {
            Self::Connection(_) => Self::Others(Counted::Actions),
            Self::User(counted, _) | Self::Guests(counted, _) | Self::Others(counted) => {
                Self::Others(*counted)
            }
        }
    }
}

#[derive(Debug)]
struct Window {
    ends: Timestamp,
    most: u32,
    count: u32,
}

#[derive(Debug)]
struct Windows {
    by_key: HashMap<Key, Window>,
    prune_at: usize,
    /// Time of the last removal of little used windows.
    removed_at: Option<Timestamp>,
}

/// The counts of all clients. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryRates(Arc<Mutex<Windows>>);

impl Default for MemoryRates {
    fn default() -> Self {
        let windows = Windows { by_key: HashMap::new(), prune_at: FIRST_PRUNE, removed_at: None };
        Self(Arc::new(Mutex::new(windows)))
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

    /// Makes room for a window. Returns the key to count under.
    ///
    /// An owner whose window is removed starts anew with half of the limit used at most, so it gets at most half as much
    /// again. What fills the table are owners that used little.
    fn key_with_room(&mut self, key: Key, now: Timestamp) -> Key {
        if self.by_key.len() < MAX_WINDOWS || self.by_key.contains_key(&key) {
            return key;
        }
        let is_due = |at: Timestamp| now.since(at) >= REMOVE_EVERY || at > now;
        if self.removed_at.is_none_or(is_due) {
            self.removed_at = Some(now);
            let before = self.by_key.len();
            let is_kept = |window: &Window| window.ends > now && window.count > window.most / 2;
            self.by_key.retain(|_, window| is_kept(window));
            let removed = before - self.by_key.len();
            metrics::counter!("tidings_rate_windows_removed_total").increment(removed as u64);
        }
        if self.by_key.len() < MAX_WINDOWS { key } else { key.shared() }
    }
}

impl RateLimits for MemoryRates {
    async fn take(
        &self,
        key: RateKey<'_>,
        limit: RateLimit,
        amount: u32,
        now: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        let mut windows = self.0.lock().ignore_poison();
        windows.prune(now);
        let key = windows.key_with_room(Key::of(key), now);
        let fresh = || Window { ends: now.plus(limit.per), most: limit.most, count: amount };
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
            Entry::Occupied(occupied) if occupied.get().count.saturating_add(amount) > limit.most => {
                return Ok(Some(occupied.get().ends.since(now)));
            }
            Entry::Occupied(mut occupied) => occupied.get_mut().count += amount,
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
            assert_eq!(rates.take(RateKey::Connection(&id), limit, 1, now).await.unwrap(), None);
        }
        // A hundred are open at a time.
        assert!(rates.0.lock().unwrap().by_key.len() <= FIRST_PRUNE);
    }

    #[tokio::test]
    async fn table_of_windows_is_bounded() {
        let rates = MemoryRates::default();
        let limit = RateLimit { most: 100, per: Duration::from_hours(24) };
        let take = async |name: &str, amount, seconds: u64| {
            let user = UserId::new(name).unwrap();
            let now = Timestamp::from_millis(seconds * 1_000);
            rates.take(RateKey::User(Counted::Mailbox, &user), limit, amount, now).await.unwrap()
        };
        assert_eq!(take("victim", 80, 1).await, None);
        for n in 0..3 * MAX_WINDOWS {
            take(&format!("invented-{n}"), 1, 1 + n as u64 / 1_000).await;
        }
        assert!(rates.0.lock().unwrap().by_key.len() <= MAX_WINDOWS + 5);
        // The one that matters was kept.
        assert!(take("victim", 30, 300).await.is_some());
        assert_eq!(take("victim", 20, 300).await, None);
    }
}
