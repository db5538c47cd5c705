//! Quotas of connect tokens and of guests, for each subject.
//!
//! Each user and each key has a budget of connect tokens. The table of unused tokens has shares too: tokens that users
//! ask for stop at a part of it, those of keys at a larger one, and the rest is for operators. So neither many users nor
//! many keys take the last place from those who have to look after the server.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use contract_notifications_v1::UserId;
use shared_ports::Moment;
use shared_sync::IgnorePoison as _;
use tidings_budget::{Allowance, Budget, Budgets};
use tidings_identity::keys::{Access, Key, KeyName};

/// Most budgets of users and of addresses, about 10 MB each. Those beyond share one.
const MAX_BUDGETS: usize = 100_000;

/// Part of the table of unused tokens that tokens for users may fill, in percent.
const USERS_SHARE: usize = 70;
/// Part that tokens of keys may fill which are not operators'.
const KEYS_SHARE: usize = 90;

/// Limits of connect tokens and guests; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaLimits {
    /// Connect tokens of a user by JSON Web Token.
    pub tokens_per_user: Option<Allowance>,
    /// Connect tokens of a key; the first key has no limit.
    pub tokens_per_key: Option<Allowance>,
    /// All new guests.
    pub guests: Option<Allowance>,
    /// New guests of an address.
    pub guests_per_address: Option<Allowance>,
}

/// The reason for a refusal, and the time to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OverQuota {
    /// Label of the metric.
    pub(super) limit: &'static str,
    /// The text for the caller.
    pub(super) detail: String,
    pub(super) wait: Duration,
}

/// Budgets of subjects. Each lock is held for a look-up.
#[derive(Debug)]
pub(super) struct Quotas {
    users: Option<Mutex<Budgets<UserId>>>,
    keys: Option<Mutex<Budgets<KeyName>>>,
    guests: Option<(Allowance, Mutex<Option<Budget>>)>,
    addresses: Option<Mutex<Budgets<IpAddr>>>,
}

fn budgets<K: std::hash::Hash + Eq>(allowance: Option<Allowance>) -> Option<Mutex<Budgets<K>>> {
    allowance.map(|allowance| Mutex::new(Budgets::new(allowance, MAX_BUDGETS)))
}

impl Quotas {
    pub(super) fn new(limits: QuotaLimits) -> Self {
        Self {
            users: budgets(limits.tokens_per_user),
            keys: budgets(limits.tokens_per_key),
            guests: limits.guests.map(|allowance| (allowance, Mutex::new(None))),
            addresses: budgets(limits.guests_per_address),
        }
    }

    /// Takes a connect token for a user who asks with a JSON Web Token. `taken` is the number of unused tokens in the
    /// table, which has `capacity` places.
    pub(super) fn token_of_user(
        &self,
        user: &UserId,
        (taken, capacity): (usize, usize),
        now: Moment,
    ) -> Result<(), OverQuota> {
        require_share("tokens-users-share", taken, capacity, USERS_SHARE)?;
        let Some(budgets) = &self.users else { return Ok(()) };
        budgets.lock().ignore_poison().take(user.clone(), 1, now).map_err(|wait| OverQuota {
            limit: "tokens-per-user",
            detail: "the user has asked for too many connect tokens (tokens.rate_per_user); one is needed for each \
                     connection"
                .to_owned(),
            wait,
        })
    }

    /// Takes a connect token for a caller with a key.
    pub(super) fn token_of_key(
        &self,
        key: &Key,
        (taken, capacity): (usize, usize),
        now: Moment,
    ) -> Result<(), OverQuota> {
        if key.scopes().allow(Access::Admin) {
            return Ok(());
        }
        // A page of the console asks with a key that may only read, and must not wait for producers.
        let is_operators = key.scopes().allow(Access::Read) && !key.scopes().allow(Access::Token);
        if !is_operators {
            require_share("tokens-keys-share", taken, capacity, KEYS_SHARE)?;
        }
        let Some(budgets) = &self.keys else { return Ok(()) };
        budgets.lock().ignore_poison().take(key.name().clone(), 1, now).map_err(|wait| OverQuota {
            limit: "tokens-per-key",
            detail: format!(
                "the key \"{}\" has asked for too many connect tokens (tokens.rate_per_key)",
                key.name()
            ),
            wait,
        })
    }

    /// Takes a new guest from an address; without one, its limit does not apply.
    pub(super) fn guest(&self, address: Option<IpAddr>, now: Moment) -> Result<(), OverQuota> {
        if let (Some(addresses), Some(address)) = (&self.addresses, address) {
            addresses.lock().ignore_poison().take(address, 1, now).map_err(|wait| OverQuota {
                limit: "guests-per-address",
                detail: "too many guests from this address (login.guests_per_address)".to_owned(),
                wait,
            })?;
        }
        let Some((allowance, budget)) = &self.guests else { return Ok(()) };
        let mut budget = budget.lock().ignore_poison();
        let taken = budget.get_or_insert_with(|| Budget::full(*allowance, now)).take(*allowance, 1, now);
        taken.map_err(|wait| OverQuota {
            limit: "guests",
            detail: "too many guests (login.guest_rate)".to_owned(),
            wait,
        })
    }
}

fn require_share(limit: &'static str, used: usize, capacity: usize, percent: usize) -> Result<(), OverQuota> {
    if used < capacity.saturating_mul(percent) / 100 {
        return Ok(());
    }
    let detail = "too many connect tokens are unused (tokens.max_unused); the rest of their table is kept for \
                  operators";
    // Tokens expire within seconds.
    Err(OverQuota { limit, detail: detail.to_owned(), wait: Duration::from_secs(5) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> QuotaLimits {
        let per_minute = |most| Allowance::new(most, Duration::from_mins(1)).ok();
        QuotaLimits {
            tokens_per_user: per_minute(3),
            tokens_per_key: per_minute(5),
            guests: per_minute(4),
            guests_per_address: per_minute(2),
        }
    }

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    const NOW: Moment = Moment::from_millis(0);
    const EMPTY: (usize, usize) = (0, 100);

    #[test]
    fn user_at_its_worst_takes_no_token_of_another() {
        let quotas = Quotas::new(limits());
        let taken = (0..1_000).filter(|_| quotas.token_of_user(&user("mallory"), EMPTY, NOW).is_ok()).count();
        assert_eq!(taken, 3);
        let over = quotas.token_of_user(&user("mallory"), EMPTY, NOW).unwrap_err();
        assert_eq!((over.limit, over.wait), ("tokens-per-user", Duration::from_secs(20)));
        assert!(quotas.token_of_user(&user("alice"), EMPTY, NOW).is_ok());
    }

    #[test]
    fn users_leave_a_part_of_the_table() {
        let quotas = Quotas::new(QuotaLimits::default());
        let all = (0..200).take_while(|used| quotas.token_of_user(&user("a"), (*used, 100), NOW).is_ok());
        assert_eq!(all.count(), USERS_SHARE);
    }

    #[test]
    fn guests_of_one_address_leave_some_to_others() {
        let quotas = Quotas::new(limits());
        let from = |text: &str| Some(text.parse().unwrap());
        let let_in = (0..9).filter(|_| quotas.guest(from("10.0.0.1"), NOW).is_ok()).count();
        assert_eq!(let_in, 2);
        assert!(quotas.guest(from("10.0.0.2"), NOW).is_ok() && quotas.guest(None, NOW).is_ok());
        assert_eq!(quotas.guest(None, NOW).unwrap_err().limit, "guests");
    }
}
