//! The history table on DynamoDB: the edge writes sessions, and reads sessions and messages.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_connections_v1::ConnectionId;
use contract_history_v1::{MessageKey, MessageRow, PageRequest, SessionKey, SessionRow, attributes};
use contract_notifications_v1::{Timestamp, UserId};
use serde::de::DeserializeOwned;
use shared_aws::port_error;
use shared_ports::{Clock, PortError};
use shared_telemetry::{chain, user_hash};
use ws_edge::ports::{History, HistoryPage};

type Item = HashMap<String, AttributeValue>;

/// The largest character, U+10FFFF: it sorts after every character of an entry's key.
const LAST_CHARACTER: char = char::MAX;

/// The history table.
#[derive(Debug, Clone)]
pub struct DynamoHistory<K> {
    client: Client,
    table: String,
    lifetime: Duration,
    clock: K,
}

/// A page of rows to read, newest first.
struct Query<'a> {
    user: &'a UserId,
    prefix: &'static str,
    before: Option<String>,
    limit: usize,
}

impl<K: Clock> DynamoHistory<K> {
    /// Creates an adapter for `table`, whose rows are kept for `lifetime`.
    pub fn new(client: &Client, table: &str, lifetime: Duration, clock: K) -> Self {
        Self { client: client.clone(), table: table.to_owned(), lifetime, clock }
    }

    /// Reads a page of unexpired rows. Expired rows must be filtered here, because DynamoDB deletes them days
    /// later
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>).
    async fn page<Row: DeserializeOwned>(
        &self,
        query: Query<'_>,
        ttl: impl Fn(&Row) -> u64,
    ) -> Result<HistoryPage<Row>, PortError> {
        let now = self.clock.now().millis() / 1000;
        let (mut rows, mut start) = (Vec::new(), None);
        loop {
            let answer = self.query(&query, start.take()).await?;
            let mut expired = false;
            for item in answer.items.unwrap_or_default() {
                if item.get(attributes::ENTRY).and_then(|entry| entry.as_s().ok()) == query.before.as_ref() {
                    continue;
                }
                match serde_dynamo::from_item::<_, Row>(item) {
                    Ok(row) if ttl(&row) > now => rows.push(row),
                    // All rows have the same lifetime, so all rows that follow have expired too.
                    Ok(_) => expired = true,
                    Err(error) => {
                        let error = chain(&error);
                        tracing::error!(user = %user_hash(query.user), error, "a history row can't be parsed");
                    }
                }
            }
            start = answer.last_evaluated_key.filter(|_| !expired);
            // A query ends early when it has read 1 MiB. Its rows are enough for a page.
            if start.is_none() || !rows.is_empty() {
                let more = rows.len() > query.limit || start.is_some();
                rows.truncate(query.limit);
                return Ok(HistoryPage { rows, more });
            }
        }
    }

    async fn query(&self, query: &Query<'_>, start: Option<Item>) -> Result<QueryOutput, PortError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let last = query.before.clone().unwrap_or_else(|| format!("{}{LAST_CHARACTER}", query.prefix));
        // Two more than the page: the range includes its end, which is filtered out, and one row tells if
        // more follow.
        let limit = i32::try_from(query.limit + 2).unwrap_or(i32::MAX);
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("#user = :user AND #entry BETWEEN :first AND :last")
            .expression_attribute_names("#user", attributes::USER_ID)
            .expression_attribute_names("#entry", attributes::ENTRY)
            .expression_attribute_values(":user", text(query.user.as_str()))
            .expression_attribute_values(":first", text(query.prefix))
            .expression_attribute_values(":last", text(&last))
            .limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| port_error("reading the history", error))
    }
}

impl<K: Clock> History for DynamoHistory<K> {
    fn lifetime(&self) -> Option<Duration> {
        Some(self.lifetime)
    }

    async fn session_opened(&self, row: &SessionRow) -> Result<(), PortError> {
        const OPERATION: &str = "recording a session";
        let item = serde_dynamo::to_item(row).map_err(|error| PortError::permanent(OPERATION, error))?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| port_error(OPERATION, error))
    }

    async fn session_closed(
        &self,
        user: &UserId,
        opened_at: Timestamp,
        connection: &ConnectionId,
        closed_at: Timestamp,
    ) -> Result<(), PortError> {
        let entry = SessionKey::new(opened_at, connection.clone()).to_string();
        let number = |number: u128| AttributeValue::N(number.to_string());
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(attributes::USER_ID, AttributeValue::S(user.to_string()))
            .key(attributes::ENTRY, AttributeValue::S(entry))
            .condition_expression("attribute_exists(#entry)")
            .update_expression("SET #closed = :closed, #duration = :duration")
            .expression_attribute_names("#entry", attributes::ENTRY)
            .expression_attribute_names("#closed", attributes::CLOSED_AT)
            .expression_attribute_names("#duration", attributes::DURATION_MS)
            .expression_attribute_values(":closed", number(closed_at.millis().into()))
            .expression_attribute_values(":duration", number(closed_at.since(opened_at).as_millis()))
            .send()
            .await;
        match updated {
            Ok(_) => Ok(()),
            // The session's start was not recorded.
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(port_error("recording the end of a session", error)),
        }
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<HistoryPage<SessionRow>, PortError> {
        let before = page.before.as_ref().map(ToString::to_string);
        let query = Query { user, prefix: SessionKey::PREFIX, before, limit: page.limit };
        self.page(query, |row: &SessionRow| row.ttl).await
    }

    async fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> Result<HistoryPage<MessageRow>, PortError> {
        let before = page.before.as_ref().map(ToString::to_string);
        let query = Query { user, prefix: MessageKey::PREFIX, before, limit: page.limit };
        self.page(query, |row: &MessageRow| row.ttl).await
    }
}
