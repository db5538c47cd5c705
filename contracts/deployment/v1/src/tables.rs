//! The tables on DynamoDB. All key attributes are strings.

use serde::Serialize;

/// What the records of a table's stream hold
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StreamSpecification.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StreamView {
    /// The keys alone.
    KeysOnly,
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// What it is called within a deployment.
    pub name: &'static str,
    /// The partition key's attribute.
    pub partition_key: &'static str,
    /// The sort key's attribute.
    pub sort_key: Option<&'static str>,
    /// The attribute by which rows expire.
    pub ttl: &'static str,
    /// Its stream, if it has one.
    pub stream: Option<StreamView>,
    /// Whether a deployment may do without it.
    pub optional: bool,
}

/// The open connections; its stream of inserts wakes the replayer.
pub const CONNECTIONS: Table = Table {
    name: "connections",
    partition_key: contract_connections_v1::attributes::USER_ID,
    sort_key: Some(contract_connections_v1::attributes::CONNECTION_ID),
    ttl: contract_connections_v1::attributes::TTL,
    stream: Some(StreamView::KeysOnly),
    optional: false,
};

/// What is held for the users.
pub const MAILBOX: Table = Table {
    name: "mailbox",
    partition_key: contract_mailbox_v1::attributes::USER_ID,
    sort_key: Some(contract_mailbox_v1::attributes::SEQUENCE),
    ttl: contract_mailbox_v1::attributes::TTL,
    stream: None,
    optional: false,
};

/// Who has joined which hub.
pub const HUBS: Table = Table {
    name: "hubs",
    partition_key: contract_connections_v1::hub_attributes::HUB,
    sort_key: Some(contract_connections_v1::hub_attributes::MEMBER),
    ttl: contract_connections_v1::hub_attributes::TTL,
    stream: None,
    optional: false,
};

/// How often clients have acted.
pub const RATES: Table = Table {
    name: "rates",
    partition_key: contract_connections_v1::rate_attributes::KEY,
    sort_key: None,
    ttl: contract_connections_v1::rate_attributes::TTL,
    stream: None,
    optional: false,
};

/// The connect tokens not yet used.
pub const TOKENS: Table = Table {
    name: "tokens",
    partition_key: contract_identity_v1::attributes::TOKEN_HASH,
    sort_key: None,
    ttl: contract_identity_v1::attributes::TTL,
    stream: None,
    optional: false,
};

/// What happened, for people: sessions, and what became of notifications.
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
