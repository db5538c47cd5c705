//! The function's configuration, read from environment variables.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_deployment_v1::{WS_EDGE, variables};
use contract_notifications_v1::HubName;
use shared_aws::{ConfigError, Environment, Queues, RunConfig};
use shared_retry::RetryPolicy;
use ws_edge::{
    ClientMessagePolicy, ConnectionLimit, EdgeConfig, Excess, MAX_HANDSHAKE, RateLimit, heartbeat_within,
};

/// Time after which API Gateway closes an idle connection
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
const API_GATEWAY_IDLE: Duration = Duration::from_mins(10);

/// The function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Settings that all functions have.
    pub run: RunConfig,
    /// Name of the Connections table.
    pub connections_table: String,
    /// Name of the mailbox table.
    pub mailbox_table: String,
    /// Name of the hubs table.
    pub hubs_table: String,
    /// Name of the table of action counters.
    pub rates_table: String,
    /// The notifications queues.
    pub notifications_queues: Queues,
    /// URL of the API Gateway Management API.
    pub management_endpoint: String,
    /// Name of the history table and lifetime of its rows; `None` if no history is kept.
    pub history: Option<(String, Duration)>,
    /// The edge's limits and policies.
    pub edge: EdgeConfig,
    /// Delays before the unprocessed part of a batch write is retried.
    pub retry: RetryPolicy,
}

impl Config {
    /// Reads the configuration. `lookup` returns the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] lists all missing and malformed variables.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Environment::new(&WS_EDGE, lookup);
        let history_table: Option<String> = env.get(&variables::HISTORY_TABLE);
        let lifetime = env.days(&variables::HISTORY_TTL);
        let config = Self {
            run: RunConfig::read(&WS_EDGE, &mut env),
            connections_table: env.get(&variables::CONNECTIONS_TABLE),
            mailbox_table: env.get(&variables::MAILBOX_TABLE),
            history: history_table.map(|table| (table, lifetime)),
            hubs_table: env.get(&variables::HUBS_TABLE),
            rates_table: env.get(&variables::RATES_TABLE),
            notifications_queues: env.get(&variables::NOTIFICATIONS_QUEUE),
            management_endpoint: env.get(&variables::MANAGEMENT_ENDPOINT),
            edge: edge(&mut env),
            retry: env.retry(&variables::RETRY_INITIAL, &variables::RETRY_MAX),
        };
        env.finish(config)
    }
}

fn edge(env: &mut Environment<'_>) -> EdgeConfig {
    let MaxConnections(most) =
        env.get_with(&variables::MAX_CONNECTIONS, "a whole number from 1 on, or off", max_connections);
    let excess = env.get_with(&variables::TOO_MANY_CONNECTIONS, "refuse-newest or close-oldest", excess);
    EdgeConfig {
        max_handshake: Some(MAX_HANDSHAKE),
        heartbeat: Some(heartbeat_within(API_GATEWAY_IDLE)),
        row_lifetime: env.get(&variables::ROW_LIFETIME),
        default_format: env.get_with(&variables::DEFAULT_FORMAT, "single, batch or raw", |text| {
            FrameFormat::from_query(text).ok()
        }),
        client_messages: env.get_with(
            &variables::SEND_POLICY,
            "off, same-hub or anyone",
            client_message_policy,
        ),
        everyone: env.get_with(&variables::EVERYONE_HUB, "a hub's name of 1 to 124 characters", everyone).0,
        presence: env.get(&variables::PRESENCE),
        connection_rate: env.get_with(&variables::RATE_PER_CONNECTION, RATE, rate).0,
        user_rate: env.get_with(&variables::RATE_PER_USER, RATE, rate).0,
        acknowledgement_rate: env.get_with(&variables::ACKNOWLEDGEMENTS_PER_USER, RATE, rate).0,
        recipient_rate: env.get_with(&variables::RECIPIENTS_PER_USER, RATE, rate).0,
        arrival_rate: env.get_with(&variables::ARRIVALS_PER_USER, RATE, rate).0,
        byte_rate: env.get_with(&variables::BYTES_PER_USER, RATE, rate).0,
        sender_quota: env.get_with(&variables::QUOTA_PER_USER, RATE, rate).0,
        mailbox_quota: env.get_with(&variables::QUOTA_PER_MAILBOX, RATE, rate).0,
        max_connections: most.map(|most| ConnectionLimit { most, excess }),
        close_when_expired: env.get(&variables::CLOSE_WHEN_EXPIRED),
        ..EdgeConfig::default()
    }
}

fn client_message_policy(text: &str) -> Option<ClientMessagePolicy> {
    match text {
        "off" => Some(ClientMessagePolicy::Off),
        "same-hub" => Some(ClientMessagePolicy::SameHub),
        "anyone" => Some(ClientMessagePolicy::Anyone),
        _ => None,
    }
}

fn excess(text: &str) -> Option<Excess> {
    match text {
        "refuse-newest" => Some(Excess::RefuseNewest),
        "close-oldest" => Some(Excess::CloseOldest),
        _ => None,
    }
}

/// The hub of everyone; an empty text is no hub.
#[derive(Default)]
struct Everyone(Option<HubName>);

fn everyone(text: &str) -> Option<Everyone> {
    if text.is_empty() {
        return Some(Everyone(None));
    }
    HubName::new(text).ok().map(|hub| Everyone(Some(hub)))
}

/// Largest number of a user's connections; `off` is no limit.
#[derive(Default)]
struct MaxConnections(Option<usize>);

fn max_connections(text: &str) -> Option<MaxConnections> {
    if text == "off" {
        return Some(MaxConnections(None));
    }
    text.parse().ok().filter(|most| *most > 0).map(|most| MaxConnections(Some(most)))
}

/// The allowed form of a rate, for error messages.
const RATE: &str = "a number from 1 on, a slash and at least 1000 milliseconds (20/1000), or off";

/// A rate limit; `off` is no limit.
#[derive(Default)]
struct Rate(Option<RateLimit>);

fn rate(text: &str) -> Option<Rate> {
    if text == "off" {
        return Some(Rate(None));
    }
    let (most, per) = text.split_once('/')?;
    let most = most.parse().ok().filter(|most| *most > 0)?;
    let per = per.parse().ok().filter(|millis| *millis >= 1_000)?;
    Some(Rate(Some(RateLimit { most, per: Duration::from_millis(per) })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_read_as_declared() {
        let tables = |name: &str| {
            let is_resource = ["_TABLE", "_QUEUE", "_ENDPOINT"].iter().any(|end| name.ends_with(end));
            is_resource.then(|| name.to_lowercase())
        };
        let config = Config::read(&tables).unwrap();
        let month = Duration::from_hours(30 * 24);
        assert_eq!(config.history, Some(("tidings_history_table".to_owned(), month)));
        let config = Config::read(&|name| tables(name).filter(|_| name != "TIDINGS_HISTORY_TABLE")).unwrap();
        assert_eq!(config.history, None);
        assert_eq!(config.connections_table, "tidings_connections_table");
        // The contract's defaults equal the service's.
        let acknowledgements = RateLimit { most: 120_000, per: Duration::from_mins(1) };
        let edge = EdgeConfig {
            acknowledgement_rate: Some(acknowledgements),
            max_handshake: Some(MAX_HANDSHAKE),
            heartbeat: Some(Duration::from_mins(10) * 6 / 7),
            ..EdgeConfig::default()
        };
        assert_eq!(config.edge, edge);
        assert_eq!(Config::read(&|_| None).unwrap_err().problems().len(), 6);
    }

    #[test]
    fn policies_are_parsed_and_typos_refused() {
        let read = |name: &'static str, value: &'static str| {
            let lookup = move |asked: &str| {
                let resource = ["_TABLE", "_QUEUE", "_ENDPOINT"].iter().any(|end| asked.ends_with(end));
                if asked == name { Some(value.to_owned()) } else { resource.then(|| "x".to_owned()) }
            };
            Config::read(&lookup).map(|config| config.edge)
        };
        assert_eq!(
            read("TIDINGS_SEND_POLICY", "same-hub").unwrap().client_messages,
            ClientMessagePolicy::SameHub
        );
        assert_eq!(read("TIDINGS_EVERYONE_HUB", "all").unwrap().everyone, HubName::new("all").ok());
        let limit = RateLimit { most: 20, per: Duration::from_secs(1) };
        let limits = |edge: EdgeConfig| {
            let volumes = [edge.recipient_rate, edge.byte_rate, edge.sender_quota, edge.mailbox_quota];
            [[edge.connection_rate, edge.user_rate, edge.arrival_rate].as_slice(), &volumes].concat()
        };
        for (at, name) in [
            "TIDINGS_RATE_PER_CONNECTION",
            "TIDINGS_RATE_PER_USER",
            "TIDINGS_ARRIVALS_PER_USER",
            "TIDINGS_RECIPIENTS_PER_USER",
            "TIDINGS_BYTES_PER_USER",
            "TIDINGS_QUOTA_PER_USER",
            "TIDINGS_QUOTA_PER_MAILBOX",
        ]
        .into_iter()
        .enumerate()
        {
            let mut expected = vec![None; 7];
            expected[at] = Some(limit);
            assert_eq!(limits(read(name, "20/1000").unwrap()), expected);
        }
        let acknowledgements = |value| read("TIDINGS_ACKNOWLEDGEMENTS_PER_USER", value).unwrap();
        assert_eq!(acknowledgements("20/1000").acknowledgement_rate, Some(limit));
        assert_eq!(acknowledgements("off").acknowledgement_rate, None);
        let limit = ConnectionLimit { most: 3, excess: Excess::RefuseNewest };
        assert_eq!(read("TIDINGS_MAX_CONNECTIONS", "3").unwrap().max_connections, Some(limit));
        assert_eq!(read("TIDINGS_DEFAULT_FORMAT", "raw").unwrap().default_format, FrameFormat::Raw);
        for (name, value) in [
            ("TIDINGS_DEFAULT_FORMAT", "bare"),
            ("TIDINGS_SEND_POLICY", "everyone"),
            ("TIDINGS_EVERYONE_HUB", "two words"),
            ("TIDINGS_RATE_PER_CONNECTION", "20/1s"),
            ("TIDINGS_RATE_PER_CONNECTION", "0/1000"),
            ("TIDINGS_MAX_CONNECTIONS", "0"),
            ("TIDINGS_TOO_MANY_CONNECTIONS", "none"),
        ] {
            let error = read(name, value).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("allowed is"), "{error}");
        }
    }
}
