//! The section `[login]`: logins that need no account.

use contract_notifications_v1::UserId;
use serde::Deserialize;

use tidings_identity::accounts::LoginLimits;

use super::keys::OptionalAllowance;
use crate::server::{LoginOffer, ShownUser};

/// The section `[login]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct LoginConfig {
    pub guests: bool,
    pub shown_users: Vec<UserId>,
    pub attempts_per_address: OptionalAllowance,
    pub failures_per_account: OptionalAllowance,
    pub guest_rate: OptionalAllowance,
    pub guests_per_address: OptionalAllowance,
}

impl LoginConfig {
    /// Returns the limits of logins with a password.
    pub const fn limits(&self) -> LoginLimits {
        LoginLimits {
            attempts_per_address: self.attempts_per_address.0,
            failures_per_account: self.failures_per_account.0,
        }
    }

    /// Returns the logins that need no account.
    pub fn offer(&self) -> LoginOffer {
        LoginOffer { guests: self.guests, users: self.shown_users.iter().map(ShownUser::new).collect() }
    }
}
