//! The function's configuration.

use std::time::Duration;

use contract_deployment_v1::{REPLAYER, variables};
use replayer::{Limits, ReplayerConfig};
use shared_aws::{ConfigError, Environment, RunConfig};

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What every function needs.
    pub run: RunConfig,
    /// Name of the mailbox table.
    pub mailbox_table: String,
    /// URL of the notifications queue.
    pub notifications_queue: String,
    /// How the replayer works.
    pub replayer: ReplayerConfig,
    /// How long before the end of its time an invocation stops retrying.
    pub time_reserve: Duration,
}

impl Config {
    /// Reads the environment, whose variables `lookup` gives.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&REPLAYER, lookup);
        let config = Self {
            run: RunConfig::read(&REPLAYER, &mut env),
            mailbox_table: env.get(&variables::MAILBOX_TABLE),
            notifications_queue: env.get(&variables::NOTIFICATIONS_QUEUE),
            replayer: ReplayerConfig {
                limits: Limits { page_size: env.get(&variables::REPLAY_KEYS), ..Limits::default() },
                retry: env.retry(&variables::RETRY_INITIAL, &variables::RETRY_MAX),
                concurrent_users: env.get(&variables::REPLAY_CONCURRENCY),
            },
            time_reserve: env.get(&variables::TIME_RESERVE),
        };
        env.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_declared() {
        let required =
            |name: &str| (name.ends_with("_TABLE") || name.ends_with("_QUEUE")).then(|| name.to_lowercase());
        let config = Config::read(&required).unwrap();
        assert_eq!(config.mailbox_table, "tidings_mailbox_table");
        // The contract's defaults are the service's own.
        assert_eq!(config.replayer, ReplayerConfig::default());
        assert_eq!(Config::read(&|_| None).unwrap_err().problems().len(), 2);
    }
}
