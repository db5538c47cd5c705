//! The DynamoDB tables. All key attributes are strings.

use serde::Serialize;

/// Content of the records of a table's stream
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StreamSpecification.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StreamView {
    /// Only the row's keys.
    KeysOnly,
}

/// A DynamoDB table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// Name within a deployment.
    pub name: &'static str,
    /// Attribute of the partition key.
    pub partition_key: &'static str,
    /// Attribute of the sort key, if there is one.
    pub sort_key: Option<&'static str>,
    /// Attribute with the time at which a row expires.
    pub ttl: &'static str,
    /// Content of its stream, if it has one.
    pub stream: Option<StreamView>,
    /// True if a deployment works without it.
    pub optional: bool,
}

/// The open connections. The stream of inserts starts the replayer.
pub const CONNECTIONS: Table = Table {
    name: "connections",
    partition_key: contract_connections_v1::attributes::USER_ID,
    sort_key: Some(contract_connections_v1::attributes::CONNECTION_ID),
    ttl: contract_connections_v1::attributes::TTL,
    stream: Some(StreamView::KeysOnly),
    optional: false,
};

/// The held notifications of all users.
pub const MAILBOX: Table = Table {
    name: "mailbox",
    partition_key: contract_mailbox_v1::attributes::USER_ID,
    sort_key: Some(contract_mailbox_v1::attributes::SEQUENCE),
    ttl: contract_mailbox_v1::attributes::TTL,
    stream: None,
    optional: false,
};

/// The members of all hubs.
pub const HUBS: Table = Table {
    name: "hubs",
    partition_key: contract_connections_v1::hub_attributes::HUB,
    sort_key: Some(contract_connections_v1::hub_attributes::MEMBER),
    ttl: contract_connections_v1::hub_attributes::TTL,
    stream: None,
    optional: false,
};

/// The counts of client actions.
pub const RATES: Table = Table {
    name: "rates",
    partition_key: contract_connections_v1::rate_attributes::KEY,
    sort_key: None,
    ttl: contract_connections_v1::rate_attributes::TTL,
    stream: None,
    optional: false,
};

/// The unused connect tokens.
pub const TOKENS: Table = Table {
    name: "tokens",
    partition_key: contract_identity_v1::attributes::TOKEN_HASH,
    sort_key: None,
    ttl: contract_identity_v1::attributes::TTL,
    stream: None,
    optional: false,
};

/// The history: sessions and outcomes of notifications, for people to read.
pub const HISTORY: Table = Table {
    name: "history",
    partition_key: contract_history_v1::attributes::USER_ID,
    sort_key: Some(contract_history_v1::attributes::ENTRY),
    ttl: contract_history_v1::attributes::TTL,
    stream: None,
    optional: true,
};

/// All tables.
pub const TABLES: [&Table; 6] = [&CONNECTIONS, &MAILBOX, &HUBS, &RATES, &TOKENS, &HISTORY];
