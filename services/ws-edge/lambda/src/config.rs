//! The function's configuration.

use std::time::Duration;

use contract_deployment_v1::{WS_EDGE, variables};
use shared_aws::{ConfigError, Environment, RunConfig};
use shared_retry::RetryPolicy;
use ws_edge::EdgeConfig;

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What every function needs.
    pub run: RunConfig,
    /// Name of the Connections table.
    pub connections_table: String,
    /// Name of the mailbox table.
    pub mailbox_table: String,
    /// Name of the table of the history, and how long rows are kept; `None` for no history.
    pub history: Option<(String, Duration)>,
    /// The edge's limits.
    pub edge: EdgeConfig,
    /// Delays before what a table left out of a batch is tried again.
    pub retry: RetryPolicy,
}

impl Config {
    /// Reads the environment, whose variables `lookup` gives.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&WS_EDGE, lookup);
        let history_table: Option<String> = env.get(&variables::HISTORY_TABLE);
        let lifetime = env.days(&variables::HISTORY_TTL);
        let config = Self {
            run: RunConfig::read(&WS_EDGE, &mut env),
            connections_table: env.get(&variables::CONNECTIONS_TABLE),
            mailbox_table: env.get(&variables::MAILBOX_TABLE),
            history: history_table.map(|table| (table, lifetime)),
            edge: EdgeConfig { row_lifetime: env.get(&variables::ROW_LIFETIME), ..EdgeConfig::default() },
            retry: env.retry(&variables::RETRY_INITIAL, &variables::RETRY_MAX),
        };
        env.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_declared() {
        let tables = |name: &str| name.ends_with("_TABLE").then(|| name.to_lowercase());
        let config = Config::read(&tables).unwrap();
        let month = Duration::from_hours(30 * 24);
        assert_eq!(config.history, Some(("tidings_history_table".to_owned(), month)));
        let config = Config::read(&|name| tables(name).filter(|_| name != "TIDINGS_HISTORY_TABLE")).unwrap();
        assert_eq!(config.history, None);
        assert_eq!(config.connections_table, "tidings_connections_table");
        // The contract's defaults are the service's own.
        assert_eq!(config.edge, EdgeConfig::default());
        assert_eq!(Config::read(&|_| None).unwrap_err().problems().len(), 2);
    }
}
