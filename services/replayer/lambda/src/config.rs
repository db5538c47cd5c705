//! Configuration of the function.

use std::time::Duration;

use contract_deployment_v1::{REPLAYER, variables};
use replayer::{Limits, ReplayerConfig};
use shared_aws::{ConfigError, Environment, Queues, RunConfig};

/// The configuration, read from environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Log and metrics settings, as every function has.
    pub run: RunConfig,
    /// Name of the mailbox table.
    pub mailbox_table: String,
    /// The notifications queues.
    pub notifications_queues: Queues,
    /// Settings of the replayer.
    pub replayer: ReplayerConfig,
    /// Time before the end of an invocation at which it stops retrying.
    pub time_reserve: Duration,
}

impl Config {
    /// Reads the configuration. `lookup` returns the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&REPLAYER, lookup);
        let config = Self {
            run: RunConfig::read(&REPLAYER, &mut env),
            mailbox_table: env.get(&variables::MAILBOX_TABLE),
            notifications_queues: env.get(&variables::NOTIFICATIONS_QUEUE),
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
    fn environment_is_read_as_declared() {
        let required =
            |name: &str| (name.ends_with("_TABLE") || name.ends_with("_QUEUE")).then(|| name.to_lowercase());
        let config = Config::read(&required).unwrap();
        assert_eq!(config.mailbox_table, "tidings_mailbox_table");
        // The contract's defaults are the same as the service's.
        assert_eq!(config.replayer, ReplayerConfig::default());
        assert_eq!(Config::read(&|_| None).unwrap_err().problems().len(), 2);
    }
}
