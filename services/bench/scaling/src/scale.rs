//! How much of everything.

use serde::{Deserialize, Serialize};

/// How much of everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scale {
    /// Users of the curve of users,
    pub(crate) users: Vec<u32>,
    /// and the notifications to all of them together.
    pub(crate) users_total: u32,
    /// Held for each user.
    pub(crate) backlog: Vec<u32>,
    pub(crate) backlog_total: u32,
    /// As many users as the total is for, but never more: one held for each would say little else of each.
    pub(crate) backlog_users: u32,
    /// Held for all users together,
    pub(crate) stored: Vec<u32>,
    /// for each of them so many,
    pub(crate) stored_each: u32,
    /// of so many bytes.
    pub(crate) stored_bytes: usize,
    /// What other users get meanwhile, half of it while they are away.
    pub(crate) stored_others: u32,
    /// Bytes of a payload.
    pub(crate) payload: Vec<u32>,
    /// Most notifications of a point, and most bytes in all of them.
    pub(crate) payload_total: u32,
    pub(crate) payload_total_bytes: u64,
    pub(crate) payload_users: u32,
    /// Devices of each user.
    pub(crate) devices: Vec<u32>,
    pub(crate) devices_users: u32,
    pub(crate) devices_total: u32,
    /// Members of a hub.
    pub(crate) hub: Vec<u32>,
    /// What all members get together, about.
    pub(crate) hub_total: u32,
    /// Bytes of a payload in all other curves.
    pub(crate) payload_bytes: usize,
    /// Connections made to know what one costs.
    pub(crate) connections: u32,
}

impl Scale {
    /// What the documentation has.
    pub(crate) fn full() -> Self {
        Self {
            users: vec![100, 1_000, 10_000, 100_000],
            users_total: 300_000,
            backlog: vec![1, 10, 100, 1_000, 10_000],
            backlog_total: 300_000,
            backlog_users: 10_000,
            stored: vec![10_000, 100_000, 1_000_000, 10_000_000],
            stored_each: 100,
            stored_bytes: bench_load::message::LEAST_BYTES,
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

    /// Enough to see that everything works.
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
