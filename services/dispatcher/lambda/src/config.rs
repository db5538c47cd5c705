//! Configuration of the function.

use std::time::Duration;

use contract_deployment_v1::{DISPATCHER, QUEUE_SOURCE, variables};
use contract_notifications_v1::Epoch;
use dispatcher::core::run::Limits;
use dispatcher::ports::HistoryPolicy;
use dispatcher::{BatchSettings, Settings};
use shared_aws::{ConfigError, Environment, Queues, RunConfig};

/// The configuration, read from environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Log and metrics settings, as every function has.
    pub run: RunConfig,
    /// Name of the Connections table.
    pub connections_table: String,
    /// Name of the mailbox table.
    pub mailbox_table: String,
    /// The notifications queues.
    pub notifications_queues: Queues,
    /// The dead-letter queues, in the same order.
    pub dead_letter_queues: Queues,
    /// Epoch of sequences.
    pub epoch: Epoch,
    /// URL of the API Gateway Management API.
    pub management_endpoint: String,
    /// Name of the table of hub members.
    pub hubs_table: String,
    /// Maximum number of hub members served by one entry.
    pub fan_out_members: usize,
    /// Settings of the dispatcher.
    pub settings: Settings,
    /// Settings of batches.
    pub batch: BatchSettings,
    /// Name of the history table and contents of its rows; `None` if the history is off.
    pub history: Option<(String, HistoryPolicy)>,
    /// Time before the end of an invocation at which it stops retrying.
    pub time_reserve: Duration,
}

impl Config {
    /// Reads the configuration. `lookup` returns the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&DISPATCHER, lookup);
        let limits = Limits {
            inline_drain: env.get(&variables::INLINE_DRAIN),
            replay_drain: env.get(&variables::REPLAY_DRAIN),
            page: env.get(&variables::MAILBOX_PAGE),
            grace: env.get(&variables::HANDSHAKE_GRACE),
            drop_hold: env.get(&variables::DROP_HOLD),
            ..Limits::default()
        };
        let history_table: Option<String> = env.get(&variables::HISTORY_TABLE);
        let policy = HistoryPolicy {
            lifetime: env.days(&variables::HISTORY_TTL),
            payloads: env.get(&variables::HISTORY_PAYLOADS),
        };
        let SetAsideAfter(failures_before_aside) =
            env.get_with(&variables::SET_ASIDE_AFTER, "a whole number from 1 on, or off", set_aside_after);
        let config = Self {
            run: RunConfig::read(&DISPATCHER, &mut env),
            connections_table: env.get(&variables::CONNECTIONS_TABLE),
            mailbox_table: env.get(&variables::MAILBOX_TABLE),
            notifications_queues: env.get(&variables::NOTIFICATIONS_QUEUE),
            dead_letter_queues: env.get(&variables::DEAD_LETTER_QUEUE),
            epoch: env.get_with(&variables::QUEUE_EPOCH, "a whole number from 0 to 99", epoch),
            management_endpoint: env.get(&variables::MANAGEMENT_ENDPOINT),
            hubs_table: env.get(&variables::HUBS_TABLE),
            fan_out_members: env.get::<usize>(&variables::FAN_OUT_MEMBERS).max(1),
            settings: Settings {
                limits,
                retry: env.retry(&variables::RETRY_INITIAL, &variables::RETRY_MAX),
                raw_without_sender: env.get(&variables::RAW_WITHOUT_SENDER),
            },
            batch: BatchSettings {
                failures_before_aside,
                visibility: Duration::from_secs(QUEUE_SOURCE.visibility_timeout_seconds.into()),
                ..BatchSettings::default()
            },
            history: history_table.map(|table| (table, policy)),
            time_reserve: env.get(&variables::TIME_RESERVE),
        };
        let (queues, letters) = (config.notifications_queues.count(), config.dead_letter_queues.count());
        if queues != letters && env.problems().is_empty() {
            env.refuse(&variables::DEAD_LETTER_QUEUE, "one URL for each of TIDINGS_NOTIFICATIONS_QUEUE");
        }
        env.finish(config)
    }
}

fn epoch(text: &str) -> Option<Epoch> {
    text.parse().ok().and_then(Epoch::new)
}

/// Number of failures after which notifications are set aside; `off` is never.
#[derive(Default)]
struct SetAsideAfter(Option<u32>);

fn set_aside_after(text: &str) -> Option<SetAsideAfter> {
    if text == "off" {
        return Some(SetAsideAfter(None));
    }
    text.parse().ok().filter(|failures| *failures > 0).map(|failures| SetAsideAfter(Some(failures)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_read_as_declared() {
        let required = |name: &str| {
            let table = name.ends_with("_TABLE") && name != "TIDINGS_HISTORY_TABLE"
                || name.ends_with("_QUEUE")
                || name.ends_with("_ENDPOINT");
            table.then(|| name.to_lowercase())
        };
        let config = Config::read(&required).unwrap();
        assert_eq!(config.mailbox_table, "tidings_mailbox_table");
        // The contract's defaults are the same as the service's.
        assert_eq!((config.settings, config.batch), (Settings::default(), BatchSettings::default()));
        assert_eq!(config.fan_out_members, dispatcher::DEFAULT_MEMBERS);
        assert_eq!(config.history, None);
        let with_history = |name: &str| {
            let set = (name == "TIDINGS_HISTORY_TABLE").then(|| "h".to_owned());
            set.or_else(|| required(name))
        };
        let policy = HistoryPolicy { lifetime: Duration::from_hours(30 * 24), payloads: false };
        let config = Config::read(&with_history).unwrap();
        assert_eq!(config.history, Some(("h".to_owned(), policy)));
        let set_aside = |name: &str| match name {
            "TIDINGS_SET_ASIDE_AFTER" => Some("off".to_owned()),
            _ => required(name),
        };
        let batch = BatchSettings { failures_before_aside: None, ..BatchSettings::default() };
        assert_eq!(Config::read(&set_aside).unwrap().batch, batch);
        assert_eq!(Config::read(&|_| None).unwrap_err().problems().len(), 6);
    }

    #[test]
    fn several_queues_are_read_in_order() {
        let read = |queues: &'static str, letters: &'static str, epoch: &'static str| {
            Config::read(&|name: &str| match name {
                "TIDINGS_NOTIFICATIONS_QUEUE" => Some(queues.to_owned()),
                "TIDINGS_DEAD_LETTER_QUEUE" => Some(letters.to_owned()),
                "TIDINGS_QUEUE_EPOCH" => Some(epoch.to_owned()),
                "TIDINGS_HISTORY_TABLE" => None,
                name => (name.ends_with("_TABLE") || name.ends_with("_ENDPOINT")).then(|| "x".to_owned()),
            })
        };
        let config = read("q0,q1", "d0,d1", "7").unwrap();
        assert_eq!((config.notifications_queues.url(1), config.dead_letter_queues.url(1)), ("q1", "d1"));
        assert_eq!(Some(config.epoch), Epoch::new(7));
        let refused = |queues, letters, epoch| read(queues, letters, epoch).unwrap_err().to_string();
        assert!(refused("q0,q1", "d0", "0").contains("one URL for each"));
        assert!(refused("q0", "d0", "100").contains("0 to 99"));
    }
}
