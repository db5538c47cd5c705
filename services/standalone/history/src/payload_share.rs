//! The share of each client in the payloads of the history.
//!
//! A message to a hub is stored once and recorded for each member with its payload, so one client's messages could fill
//! the disk. Beyond its share they are recorded without payload.

use std::sync::Mutex;

use contract_history_v1::MessageRow;
use metrics::counter;
use shared_ports::Moment;
use shared_sync::IgnorePoison as _;
use tidings_budget::{Allowance, Budgets};

/// Most clients with a budget of their own, about 10 MB; those beyond share one.
const MAX_CLIENTS: usize = 65_536;

/// Beginning of the source of what clients send.
const OF_CLIENTS: &str = "user/";

/// Counts the bytes of payloads by their sender.
#[derive(Debug)]
pub(super) struct PayloadShare(Option<Mutex<Budgets<Box<str>>>>);

impl PayloadShare {
    /// Allows each client so many bytes; any number for `None`.
    pub(super) fn new(of_client: Option<Allowance>) -> Self {
        Self(of_client.map(|allowance| Mutex::new(Budgets::new(allowance, MAX_CLIENTS))))
    }

    /// Removes the payloads that exceed the share of their senders.
    pub(super) fn apply(&self, rows: &mut [MessageRow], now: Moment) {
        let Some(budgets) = &self.0 else { return };
        let mut left_out = 0;
        for row in rows {
            let (Some(source), Some(payload)) = (&row.source, &row.payload) else { continue };
            if !source.starts_with(OF_CLIENTS) {
                continue;
            }
            let taken = budgets.lock().ignore_poison().take(source.clone(), payload.len() as u64, now);
            if taken.is_err() {
                row.payload = None;
                left_out += 1;
            }
        }
        if left_out > 0 {
            counter!("tidings_history_payloads_left_out_total").increment(left_out);
        }
    }
}
