//! The tables of a test, with fixtures that read and write rows as the services do.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_connections_v1::{Connection, ConnectionId, HubMember, HubPartition, HubRow, MemberKey};
use contract_deployment_v1::{CONNECTIONS, HISTORY, HUBS, MAILBOX, RATES, Table};
use contract_history_v1::MessageRow;
use contract_mailbox_v1::HeldNotification;
use contract_notifications_v1::{HubName, Sequence, UserId, Version1};
use serde::Serialize;
use serde::de::DeserializeOwned;
use verification_conformance::fixture::{ConnectionRows, HistoryRows, HubRows, MailboxRows};

use crate::resources::TestResources;

/// A table of a test.
#[derive(Debug, Clone)]
struct TestTable {
    client: Client,
    name: String,
    table: &'static Table,
}

impl TestTable {
    async fn new(resources: &TestResources, table: &'static Table) -> Self {
        Self { client: Client::new(&resources.sdk), name: resources.table(table).await, table }
    }

    async fn put(&self, row: &impl Serialize) {
        let item = serde_dynamo::to_item(row).expect("a row is an item");
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .send()
            .await
            .expect("the row is put");
    }

    async fn delete(&self, partition: &str, sort: &str) {
        let mut delete = self.client.delete_item().table_name(&self.name);
        delete = delete.key(self.table.partition_key, AttributeValue::S(partition.to_owned()));
        if let Some(sort_key) = self.table.sort_key {
            delete = delete.key(sort_key, AttributeValue::S(sort.to_owned()));
        }
        delete.send().await.expect("the row is deleted");
    }

    async fn rows<T: DeserializeOwned>(&self, partition: &str) -> Vec<T> {
        let pages = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", self.table.partition_key)
            .expression_attribute_values(":partition", AttributeValue::S(partition.to_owned()))
            .into_paginator()
            .items()
            .send();
        let items = pages.try_collect().await.expect("the table is read");
        serde_dynamo::from_items(items).expect("items are rows")
    }
}

/// The Connections table of a test.
#[derive(Debug, Clone)]
pub struct ConnectionsTable(TestTable);

impl ConnectionsTable {
    /// Creates the table.
    pub async fn new(resources: &TestResources) -> Self {
        Self(TestTable::new(resources, &CONNECTIONS).await)
    }

    /// An existing table, by its name on the endpoint.
    pub fn existing(sdk: &SdkConfig, name: &str) -> Self {
        Self(TestTable { client: Client::new(sdk), name: name.to_owned(), table: &CONNECTIONS })
    }

    /// The table's name on the endpoint.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl ConnectionRows for ConnectionsTable {
    async fn insert(&self, row: &Connection) {
        self.0.put(row).await;
    }

    async fn delete(&self, user: &UserId, connection: &ConnectionId) {
        self.0.delete(user.as_str(), connection.as_str()).await;
    }

    async fn rows(&self, user: &UserId) -> Vec<Connection> {
        self.0.rows(user.as_str()).await
    }
}

/// The mailbox table of a test.
#[derive(Debug, Clone)]
pub struct MailboxTable(TestTable);

impl MailboxTable {
    /// Creates the table.
    pub async fn new(resources: &TestResources) -> Self {
        Self(TestTable::new(resources, &MAILBOX).await)
    }

    /// An existing table, by its name on the endpoint.
    pub fn existing(sdk: &SdkConfig, name: &str) -> Self {
        Self(TestTable { client: Client::new(sdk), name: name.to_owned(), table: &MAILBOX })
    }

    /// The table's name on the endpoint.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The rows of a user as they are stored.
    pub async fn stored(&self, user: &UserId) -> Vec<HeldNotification> {
        self.0.rows(user.as_str()).await
    }
}

impl MailboxRows for MailboxTable {
    async fn hold(&self, user: &UserId, numbers: &[u64]) {
        for n in numbers {
            let notification = verification_conformance::notification(user, *n);
            self.0
                .put(&HeldNotification::new(notification, Sequence::new((*n).into()), BTreeSet::new()))
                .await;
        }
    }

    async fn delete(&self, user: &UserId, numbers: &[u64]) {
        for n in numbers {
            self.0.delete(user.as_str(), &Sequence::new((*n).into()).to_string()).await;
        }
    }

    async fn held(&self, user: &UserId) -> Vec<Sequence> {
        self.stored(user).await.into_iter().map(|row| row.sequence).collect()
    }
}

/// The history table of a test.
#[derive(Debug, Clone)]
pub struct HistoryTable(TestTable);

impl HistoryTable {
    /// Creates the table.
    pub async fn new(resources: &TestResources) -> Self {
        Self(TestTable::new(resources, &HISTORY).await)
    }

    /// The table's name on the endpoint.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl HistoryRows for HistoryTable {
    async fn record(&self, _: &UserId, rows: &[MessageRow]) {
        for row in rows {
            self.0.put(row).await;
        }
    }

    async fn recorded(&self, user: &UserId) -> Vec<MessageRow> {
        let mut rows: Vec<MessageRow> = self.0.rows(user.as_str()).await;
        rows.reverse();
        rows
    }
}

/// The hubs table of a test.
#[derive(Debug, Clone)]
pub struct HubsTable(TestTable);

impl HubsTable {
    /// Creates the table.
    pub async fn new(resources: &TestResources) -> Self {
        Self(TestTable::new(resources, &HUBS).await)
    }

    /// The table's name on the endpoint.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl HubsTable {
    /// Adds a connection of a user to a hub as before hubs had shards.
    pub async fn join_unsharded(&self, hub: &HubName, user: &UserId, connection: &str) {
        let connection_id = Some(ConnectionId::new(connection));
        let member = MemberKey { user_id: user.clone(), connection_id };
        self.0.put(&HubMember { version: Version1, hub: hub.clone(), member, ttl: None }).await;
    }

    /// The rows in all partitions of a hub.
    pub async fn members(&self, hub: &HubName) -> Vec<MemberKey> {
        let mut members = Vec::new();
        for partition in HubPartition::all(hub) {
            let rows: Vec<HubRow> = self.0.rows(&partition.to_string()).await;
            members.extend(rows.into_iter().map(|row| row.member));
        }
        members
    }
}

impl HubRows for HubsTable {
    async fn join(&self, hub: &HubName, user: &UserId, connection: &str) {
        let connection_id = Some(ConnectionId::new(connection));
        let member = MemberKey { user_id: user.clone(), connection_id };
        let member = HubMember { version: Version1, hub: hub.clone(), member, ttl: None };
        self.0.put(&HubRow::from(&member)).await;
    }

    async fn users(&self, hub: &HubName) -> Vec<UserId> {
        self.members(hub)
            .await
            .into_iter()
            .map(|member| member.user_id)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }
}

/// The table of rate limits of a test.
#[derive(Debug, Clone)]
pub struct RatesTable(TestTable);

impl RatesTable {
    /// Creates the table.
    pub async fn new(resources: &TestResources) -> Self {
        Self(TestTable::new(resources, &RATES).await)
    }

    /// The table's name on the endpoint.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}
