//! Limits for each client address: open connections, WebSockets, handshakes and requests.
//!
//! The limits are for those who are not known yet; they are far above what the clients behind one address need. A request
//! counts until its caller is authenticated as a producer or operator, who then gets it back. An IPv6 client counts by
//! the first 64 bits of its address, because it usually has all addresses that begin with them.
//!
//! An address has an entry while it has connections or has lately sent requests, so the table's size follows the open
//! connections. Beyond [`MAX_SHARD`] entries in a shard, further addresses share one entry for their rates.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use shared_sync::IgnorePoison as _;
use tokio::time::Instant;
use ws_edge::RateLimit;

/// Number of locks over which addresses are spread.
const SHARDS: usize = 64;

/// Maximum number of entries in a shard before further addresses share one for their rates.
const MAX_SHARD: usize = 2_048;

/// Number of entries of a shard from which on those without use are looked for.
const FIRST_PRUNE: usize = 64;

/// Time between two removals of unused entries from a full shard.
const PRUNE_EVERY: Duration = Duration::from_secs(1);

/// The limits of each address. `None` and 0 are no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressLimits {
    /// Maximum number of open connections that are not, or not yet, WebSockets.
    pub connections: usize,
    /// Maximum number of open WebSockets.
    pub web_sockets: usize,
    /// Maximum rate of WebSocket handshakes.
    pub handshakes: Option<RateLimit>,
    /// Maximum rate of requests, those of producers and operators excepted.
    pub requests: Option<RateLimit>,
    /// True if addresses of this machine have no limits.
    pub exempt_loopback: bool,
}

impl Default for AddressLimits {
    fn default() -> Self {
        let per = Duration::from_secs(1);
        Self {
            connections: 2_000,
            web_sockets: 20_000,
            handshakes: Some(RateLimit { most: 500, per }),
            requests: Some(RateLimit { most: 2_000, per }),
            exempt_loopback: true,
        }
    }
}

/// The addresses that count as one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    V4([u8; 4]),
    /// The network of an IPv6 address.
    V6([u8; 8]),
    /// All addresses that have no entry of their own.
    Others,
}

impl Origin {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let mut network = [0; 8];
                network.copy_from_slice(&address.octets()[..8]);
                Self::V6(network)
            }
        }
    }
}

/// A token bucket that holds the tokens of one window and fills evenly.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    fn full(limit: RateLimit, now: Instant) -> Self {
        Self { level: f64::from(limit.most), filled_at: now }
    }

    fn fill(&mut self, limit: RateLimit, now: Instant) {
        let most = f64::from(limit.most);
        let rate = most / limit.per.as_secs_f64();
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.level = most.min(self.level + elapsed * rate);
        self.filled_at = now;
    }

    /// Takes a token. Returns the time until there is one if there is none.
    fn take(&mut self, limit: RateLimit, now: Instant) -> Result<(), Duration> {
        self.fill(limit, now);
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.level) * limit.per.as_secs_f64() / f64::from(limit.most)))
    }
}

/// The state of one origin.
#[derive(Debug, Default)]
struct Entry {
    connections: usize,
    web_sockets: usize,
    handshakes: Option<Bucket>,
    requests: Option<Bucket>,
}

impl Entry {
    /// Returns true if a fresh entry would do as well.
    fn is_unused(&mut self, limits: &AddressLimits, now: Instant) -> bool {
        let is_full = |bucket: &mut Option<Bucket>, limit: Option<RateLimit>| match (bucket, limit) {
            (Some(bucket), Some(limit)) => {
                bucket.fill(limit, now);
                bucket.level >= f64::from(limit.most)
            }
            _ => true,
        };
        self.connections == 0
            && self.web_sockets == 0
            && is_full(&mut self.handshakes, limits.handshakes)
            && is_full(&mut self.requests, limits.requests)
    }
}

#[derive(Debug)]
struct Shard {
    entries: HashMap<Origin, Entry>,
    /// Number of entries at which unused ones are removed.
    prune_at: usize,
    /// Time of the last removal.
    pruned_at: Option<Instant>,
}

impl Shard {
    /// Removes unused entries.
    fn prune(&mut self, limits: &AddressLimits, now: Instant) {
        self.entries.retain(|_, entry| !entry.is_unused(limits, now));
        self.prune_at = (2 * self.entries.len()).max(FIRST_PRUNE);
        self.pruned_at = Some(now);
    }

    /// Returns the entry of an origin, made if it is absent.
    fn entry(&mut self, origin: Origin, limits: &AddressLimits, now: Instant) -> &mut Entry {
        if self.entries.len() >= self.prune_at && !self.entries.contains_key(&origin) {
            self.prune(limits, now);
        }
        self.entries.entry(origin).or_default()
    }

    /// Returns the entry for rates of an origin: a shared one if the shard is full. A full shard is pruned once a second,
    /// because that takes longer than a request.
    fn rated(&mut self, origin: Origin, limits: &AddressLimits, now: Instant) -> &mut Entry {
        let is_full = |shard: &Self| shard.entries.len() >= MAX_SHARD && !shard.entries.contains_key(&origin);
        let is_due = |at: Instant| now.saturating_duration_since(at) >= PRUNE_EVERY;
        if is_full(self) && self.pruned_at.is_none_or(is_due) {
            self.prune(limits, now);
        }
        let origin = if is_full(self) { Origin::Others } else { origin };
        self.entry(origin, limits, now)
    }
}

/// The addresses of all clients.
#[derive(Debug)]
pub(super) struct Addresses {
    limits: AddressLimits,
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

/// A place among the connections of an address. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Slot {
    addresses: Arc<Addresses>,
    origin: Origin,
    is_web_socket: bool,
}

/// The limit of open connections of an address is reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// Counts a connection, handshake or request that is refused because of its address's limit.
pub(super) fn count_refusal(limit: &'static str) {
    metrics::counter!("tidings_address_limits_total", "limit" => limit).increment(1);
}

impl Addresses {
    pub(super) fn new(limits: AddressLimits) -> Self {
        let shard = || Mutex::new(Shard { entries: HashMap::new(), prune_at: FIRST_PRUNE, pruned_at: None });
        Self { limits, shards: (0..SHARDS).map(|_| shard()).collect(), hasher: RandomState::new() }
    }

    /// Returns true if an address has no limits.
    pub(super) fn is_exempt(&self, address: IpAddr) -> bool {
        self.limits.exempt_loopback && address.to_canonical().is_loopback()
    }

    /// Returns the address to count under; `None` if it is exempt. An IPv6 address is cut to the 64 bits that one customer
    /// has.
    pub(super) fn limited(&self, address: IpAddr) -> Option<IpAddr> {
        if self.is_exempt(address) {
            return None;
        }
        Some(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    fn shard(&self, origin: Origin) -> MutexGuard<'_, Shard> {
        // A remainder of SHARDS fits.
        #[expect(clippy::cast_possible_truncation, reason = "a remainder of SHARDS")]
        let index = (self.hasher.hash_one(origin) % SHARDS as u64) as usize;
        self.shards[index].lock().ignore_poison()
    }

    /// Takes a place for a new connection; `None` if the address needs none.
    ///
    /// # Errors
    /// [`TooMany`] if the address has as many connections as it may.
    pub(super) fn connect(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Option<Slot>, TooMany> {
        self.take_place(address, self.limits.connections, false, now)
    }

    /// Takes a place for a WebSocket; `None` if the address needs none.
    ///
    /// # Errors
    /// [`TooMany`] if the address has as many WebSockets as it may.
    pub(super) fn open_web_socket(
        self: &Arc<Self>,
        address: IpAddr,
        now: Instant,
    ) -> Result<Option<Slot>, TooMany> {
        self.take_place(address, self.limits.web_sockets, true, now)
    }

    fn take_place(
        self: &Arc<Self>,
        address: IpAddr,
        most: usize,
        is_web_socket: bool,
        now: Instant,
    ) -> Result<Option<Slot>, TooMany> {
        if most == 0 || self.is_exempt(address) {
            return Ok(None);
        }
        let origin = Origin::of(address);
        let mut shard = self.shard(origin);
        let entry = shard.entry(origin, &self.limits, now);
        let taken = if is_web_socket { &mut entry.web_sockets } else { &mut entry.connections };
        if *taken >= most {
            return Err(TooMany);
        }
        *taken += 1;
        drop(shard);
        Ok(Some(Slot { addresses: Arc::clone(self), origin, is_web_socket }))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The time until the next request is allowed, if the limit is reached.
    pub(super) fn request(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(limit) = self.limits.requests.filter(|_| !self.is_exempt(address)) else { return Ok(()) };
        let origin = Origin::of(address);
        let mut shard = self.shard(origin);
        let entry = shard.rated(origin, &self.limits, now);
        entry.requests.get_or_insert(Bucket::full(limit, now)).take(limit, now)
    }

    /// Takes back the count of a request whose caller proved to be a producer or an operator.
    pub(super) fn excuse_request(&self, address: IpAddr) {
        let Some(limit) = self.limits.requests.filter(|_| !self.is_exempt(address)) else { return };
        let origin = Origin::of(address);
        let mut shard = self.shard(origin);
        let counted = if shard.entries.contains_key(&origin) { origin } else { Origin::Others };
        let entry = shard.entries.get_mut(&counted);
        if let Some(bucket) = entry.and_then(|entry| entry.requests.as_mut()) {
            bucket.level = f64::from(limit.most).min(bucket.level + 1.0);
        }
    }

    /// Counts a WebSocket handshake.
    ///
    /// # Errors
    /// The time until the next handshake is allowed, if the limit is reached.
    pub(super) fn handshake(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(limit) = self.limits.handshakes.filter(|_| !self.is_exempt(address)) else { return Ok(()) };
        let origin = Origin::of(address);
        let mut shard = self.shard(origin);
        let entry = shard.rated(origin, &self.limits, now);
        entry.handshakes.get_or_insert(Bucket::full(limit, now)).take(limit, now)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().ignore_poison().entries.len()).sum()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut shard = self.addresses.shard(self.origin);
        let Some(entry) = shard.entries.get_mut(&self.origin) else { return };
        let taken = if self.is_web_socket { &mut entry.web_sockets } else { &mut entry.connections };
        *taken = taken.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests;
