//! Who may log in without an account: the section `[login]`.

use contract_notifications_v1::UserId;
use serde::Deserialize;

use super::{Config, ConfigError};
use crate::server::{LoginOffer, ShownUser};

/// Who may log in without an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct LoginConfig {
    pub guests: bool,
    pub shown_users: Vec<UserId>,
}

impl LoginConfig {
    /// Who may log in without an account.
    pub fn offer(&self) -> LoginOffer {
        LoginOffer { guests: self.guests, users: self.shown_users.iter().map(ShownUser::new).collect() }
    }
}

impl Config {
    pub(super) fn validate_login(&self) -> Result<(), ConfigError> {
        if self.login.shown_users.is_empty() || self.server.listen.ip().is_loopback() {
            return Ok(());
        }
        let problem = format!(
            "everybody knows their passwords, and server.listen is {}, which other machines may reach; empty the list, \
             or listen on 127.0.0.1",
            self.server.listen
        );
        Err(ConfigError::invalid("login.shown_users", problem))
    }
}
