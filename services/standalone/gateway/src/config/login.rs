//! The section `[login]`: logins that need no account.

use contract_notifications_v1::UserId;
use serde::Deserialize;

use crate::server::{LoginOffer, ShownUser};

/// The section `[login]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct LoginConfig {
    pub guests: bool,
    pub shown_users: Vec<UserId>,
}

impl LoginConfig {
    /// Returns the logins that need no account.
    pub fn offer(&self) -> LoginOffer {
        LoginOffer { guests: self.guests, users: self.shown_users.iter().map(ShownUser::new).collect() }
    }
}
