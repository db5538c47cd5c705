//! The amounts that are measured with.

use std::time::Duration;

use bench_load::Workload;
use serde::{Deserialize, Serialize};

/// Longest time for which notifications to disconnected users are sent.
const MAX_BURST: Duration = Duration::from_secs(2);

/// Amounts of users, notifications and connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scale {
    pub(crate) users: u32,
    pub(crate) payload_bytes: usize,
    /// Time for which each rate is sent, in seconds.
    pub(crate) seconds: f64,
    /// The fixed rate, in notifications a second.
    pub(crate) rate: f64,
    /// The low fixed rate, in notifications a second.
    #[serde(default)]
    pub(crate) low_rate: f64,
    /// Notifications in flight for each user, without a rate.
    pub(crate) window: u32,
    /// Notifications held for each disconnected user.
    pub(crate) held: u32,
    /// Connections of the case `connections` whose memory is measured first.
    #[serde(default)]
    pub(crate) fewer_connections: u32,
    /// Connections of the case `connections` whose memory and rate are compared.
    pub(crate) connections: u32,
    /// Connections of the case `connections` whose memory is measured last: as many as 20,000 open files allow.
    #[serde(default)]
    pub(crate) more_connections: u32,
    /// Connections of the case `many-connections`.
    #[serde(alias = "crowd")]
    pub(crate) many_connections: u32,
    /// Notifications of the case `held`.
    pub(crate) held_for_one: u32,
    /// Users of the cases with a fault. Each has 100 notifications.
    pub(crate) failing_users: u32,
}

impl Scale {
    /// Returns the amounts of the documentation.
    pub(crate) const fn full() -> Self {
        Self {
            users: 1_000,
            payload_bytes: 256,
            seconds: 2.5,
            rate: 2_000.0,
            low_rate: 200.0,
            window: 20,
            held: 2_000,
            fewer_connections: 5_000,
            connections: 10_000,
            more_connections: 18_000,
            many_connections: 50_000,
            held_for_one: 10_000,
            failing_users: 100,
        }
    }

    /// Returns amounts that show only that everything works.
    pub(crate) const fn quick() -> Self {
        Self {
            users: 20,
            payload_bytes: 256,
            seconds: 0.3,
            rate: 200.0,
            low_rate: 50.0,
            window: 20,
            held: 10,
            fewer_connections: 25,
            connections: 50,
            more_connections: 90,
            many_connections: 100,
            held_for_one: 200,
            failing_users: 5,
        }
    }

    /// Returns the time for which each rate is sent.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// Returns a workload of `messages` to each user, as fast as the server accepts them. It ends after two
/// seconds.
pub(crate) fn burst(users: u32, messages: u32, producers: (u32, u32)) -> Workload {
    Workload { duration: Some(MAX_BURST), ..Workload::new(users, messages, producers) }
}
