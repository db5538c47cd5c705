//! One key in memory: its scopes, budgets and last use.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use serde::{Deserialize, Serialize};
use shared_ports::Moment;
use shared_sync::IgnorePoison as _;

use super::name::KeyName;
use super::scope::Scopes;
use tidings_budget::{Allowance, Budget};

/// The limits of a key; those that are absent are the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Notifications in a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Allowance>,
    /// Bytes of payload in a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Allowance>,
}

/// A key that a request was authenticated with.
#[derive(Debug)]
pub struct Key {
    name: KeyName,
    scopes: Scopes,
    /// Absent for the first key.
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    rate: Option<(Allowance, Mutex<Budget>)>,
    bytes: Option<(Allowance, Mutex<Budget>)>,
    /// Time of the last use in milliseconds; zero if it was never used.
    pub(super) last_used_at: AtomicU64,
}

/// A budget of a key is used up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key \"{name}\" may send {most} {unit} in {} s and has used them up; try again in {} s", .per.as_secs_f64(), .wait.as_secs_f64().ceil())]
pub struct OverBudget {
    /// The key.
    pub name: KeyName,
    /// Amount that the key may use.
    pub most: u64,
    /// Unit of the amount.
    pub unit: &'static str,
    /// Time in which it may use it.
    pub per: Duration,
    /// Time after which the request can succeed.
    pub wait: Duration,
}

impl Key {
    pub(super) fn new(
        name: KeyName,
        scopes: Scopes,
        limits: Limits,
        created_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        now: Moment,
    ) -> Self {
        let budget = |allowance: Allowance| (allowance, Mutex::new(Budget::full(allowance, now)));
        Self {
            name,
            scopes,
            created_at,
            expires_at,
            rate: limits.rate.map(budget),
            bytes: limits.bytes.map(budget),
            last_used_at: AtomicU64::new(0),
        }
    }

    /// Returns the key's name.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns an id that no later key of the same name has: the name, and the time at which the key was made.
    pub fn identity(&self) -> String {
        match self.created_at {
            Some(at) => format!("{}@{}", self.name, at.millis()),
            None => self.name.to_string(),
        }
    }

    /// Returns what the key may do.
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Returns the time from which on the key is refused.
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Takes notifications with payloads of `bytes` from the key's budgets.
    ///
    /// # Errors
    /// [`OverBudget`]. Nothing is taken then.
    pub fn take(&self, notifications: u64, bytes: u64, now: Moment) -> Result<(), OverBudget> {
        let over = |allowance: Allowance, unit, wait| OverBudget {
            name: self.name.clone(),
            most: allowance.most(),
            unit,
            per: allowance.per(),
            wait,
        };
        if let Some((allowance, budget)) = &self.rate {
            let taken = budget.lock().ignore_poison().take(*allowance, notifications, now);
            taken.map_err(|wait| over(*allowance, "notifications", wait))?;
        }
        if let Some((allowance, budget)) = &self.bytes {
            let taken = budget.lock().ignore_poison().take(*allowance, bytes, now);
            taken.map_err(|wait| {
                if let Some((allowance, budget)) = &self.rate {
                    budget.lock().ignore_poison().give_back(*allowance, notifications);
                }
                over(*allowance, "bytes of payload", wait)
            })?;
        }
        Ok(())
    }

    /// Notes a use at `now`. The time is kept to the second.
    pub(super) fn used(&self, now: Timestamp) {
        let now = now.millis() / 1_000 * 1_000;
        if self.last_used_at.load(Ordering::Relaxed) < now {
            self.last_used_at.fetch_max(now, Ordering::Relaxed);
        }
    }

    pub(super) fn last_used_at(&self) -> Option<Timestamp> {
        Some(self.last_used_at.load(Ordering::Relaxed)).filter(|at| *at > 0).map(Timestamp::from_millis)
    }
}
