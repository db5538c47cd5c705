//! The amounts that are measured with.

use serde::{Deserialize, Serialize};

/// Inputs of the sweeps, and the amounts that stay the same along each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scale {
    /// Inputs of the sweep `users`.
    pub(crate) users: Vec<u32>,
    /// Notifications to all users together.
    pub(crate) users_total: u32,
    /// Inputs of the sweep `backlog`.
    pub(crate) backlog: Vec<u32>,
    /// Notifications to all users together, unless `backlog_users` makes them fewer.
    pub(crate) backlog_total: u32,
    /// Largest number of users.
    pub(crate) backlog_users: u32,
    /// Inputs of the sweep `stored`.
    pub(crate) stored: Vec<u32>,
    /// Notifications stored for each user.
    pub(crate) stored_each: u32,
    /// Bytes of their payloads.
    pub(crate) stored_bytes: usize,
    /// Notifications to other users meanwhile. Half of them are sent while these are disconnected.
    pub(crate) stored_others: u32,
    /// Inputs of the sweep `payload`.
    pub(crate) payload: Vec<u32>,
    /// Largest number of notifications at a point.
    pub(crate) payload_total: u32,
    /// Largest size of all payloads at a point.
    pub(crate) payload_total_bytes: u64,
    pub(crate) payload_users: u32,
    /// Inputs of the sweep `devices`.
    pub(crate) devices: Vec<u32>,
    pub(crate) devices_users: u32,
    /// Notifications to all users together.
    pub(crate) devices_total: u32,
    /// Inputs of the sweep `hub`.
    pub(crate) hub: Vec<u32>,
    /// Notifications to all members together, about.
    pub(crate) hub_total: u32,
    /// Bytes of a payload in all other sweeps.
    pub(crate) payload_bytes: usize,
    /// Connections that the cost of one is measured with.
    pub(crate) connections: u32,
}

impl Scale {
    /// Returns the amounts of the documentation.
    pub(crate) fn full() -> Self {
        Self {
            users: vec![100, 1_000, 10_000, 100_000],
            users_total: 300_000,
            backlog: vec![1, 10, 100, 1_000, 10_000],
            backlog_total: 300_000,
            backlog_users: 10_000,
            stored: vec![10_000, 100_000, 1_000_000, 10_000_000],
            stored_each: 100,
            stored_bytes: bench_load::notification::MIN_PAYLOAD_BYTES,
            stored_others: 200_000,
            payload: vec![64, 256, 1_024, 10_240, 102_400],
            payload_total: 200_000,
            payload_total_bytes: 256 * 1024 * 1024,
            payload_users: 100,
            devices: vec![1, 2, 4, 8],
            devices_users: 500,
            devices_total: 100_000,
            hub: vec![10, 100, 1_000, 10_000, 100_000],
            hub_total: 200_000,
            payload_bytes: 256,
            connections: 2_000,
        }
    }

    /// Returns amounts that show only that everything works.
    pub(crate) fn quick() -> Self {
        Self {
            users: vec![10, 40],
            users_total: 400,
            backlog: vec![1, 20],
            backlog_total: 200,
            backlog_users: 20,
            stored: vec![200, 2_000],
            stored_others: 400,
            payload: vec![64, 10_240],
            payload_total: 200,
            payload_users: 10,
            devices: vec![1, 3],
            devices_users: 10,
            devices_total: 200,
            hub: vec![5, 20],
            hub_total: 200,
            connections: 20,
            ..Self::full()
        }
    }
}

/// Divides a total among users, rounded up to at least 1.
pub(crate) const fn per_user(total: u32, users: u32) -> u32 {
    let share = total.div_ceil(if users == 0 { 1 } else { users });
    if share == 0 { 1 } else { share }
}
