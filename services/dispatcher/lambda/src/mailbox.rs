//! The mailbox table in DynamoDB.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use contract_connections_v1::ConnectionId;
use contract_mailbox_v1::{HeldNotification, attributes};
use contract_notifications_v1::{Sequence, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{DeadLetter, DeadLetters as _, Mailbox, MailboxRow, Page, PageQuery};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shared_aws::{batch_write, port_error};
use shared_ports::PortError;
use shared_retry::RetryPolicy;
use shared_telemetry::{chain, user_hash};

use crate::queue::SqsDeadLetters;

/// Number of rows marked concurrently.
const MARKS_AT_ONCE: usize = 10;
/// Maximum number of connections in a filter expression, which may have 4 KiB and 300 operators
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters>).
/// For a user with more connections, the adapter reads every row and filters by itself.
const FILTERED_CONNECTIONS: usize = 50;
/// Minimum number of rows read by a query after the first, if the first found too few due rows.
const SCAN: usize = 100;

type Item = HashMap<String, AttributeValue>;

/// Reads and writes the mailbox table.
#[derive(Debug, Clone)]
pub struct DynamoMailbox {
    client: Client,
    table: String,
    retry: RetryPolicy,
    dead_letters: SqsDeadLetters,
}

/// Makes the error for a row that can't be converted to an item.
fn item_error(error: serde_dynamo::Error) -> PortError {
    PortError::permanent("writing to a mailbox", error)
}

fn key(user: &UserId, sequence: Sequence) -> Item {
    HashMap::from([
        (attributes::USER_ID.to_owned(), AttributeValue::S(user.to_string())),
        (attributes::SEQUENCE.to_owned(), AttributeValue::S(sequence.to_string())),
    ])
}

fn string_set<'a>(connections: impl IntoIterator<Item = &'a ConnectionId>) -> AttributeValue {
    AttributeValue::Ss(connections.into_iter().map(ToString::to_string).collect())
}

/// Converts a row to an item. The connections are a string set, so that marks can be added to it.
fn item(row: MailboxRow) -> Result<Item, PortError> {
    let MailboxRow { sequence, notification, pushed_to } = row;
    let set = (!pushed_to.is_empty()).then(|| string_set(&pushed_to));
    let held = HeldNotification::new(Arc::unwrap_or_clone(notification), sequence, BTreeSet::new());
    let mut item: Item = serde_dynamo::to_item(held).map_err(item_error)?;
    if let Some(set) = set {
        item.insert(attributes::PUSHED_TO.to_owned(), set);
    }
    Ok(item)
}

/// Errors of converting an item to a row.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error(transparent)]
    Item(#[from] serde_dynamo::Error),
    #[error(transparent)]
    Payload(#[from] contract_mailbox_v1::InvalidPayload),
}

fn row(item: Item) -> Result<MailboxRow, RowError> {
    let mut held: HeldNotification = serde_dynamo::from_item(item)?;
    let pushed_to = std::mem::take(&mut held.pushed_to).into_iter().map(ConnectionId::new).collect();
    let sequence = held.sequence;
    Ok(MailboxRow { sequence, notification: Arc::new(held.into_notification()?), pushed_to })
}

impl DynamoMailbox {
    /// Uses the table with this name. `retry` sets the delays before unprocessed writes of a batch are sent
    /// again. A row that can't be read becomes one of `dead_letters`.
    pub fn new(client: &Client, table: &str, retry: RetryPolicy, dead_letters: SqsDeadLetters) -> Self {
        Self { client: client.clone(), table: table.to_owned(), retry, dead_letters }
    }

    /// Turns an item that is no row into a dead letter. It can never be delivered, and it would be read again with
    /// every page.
    async fn dead_letter(&self, user: &UserId, item: Item, error: &RowError) -> Result<(), PortError> {
        const OPERATION: &str = "deleting a row that can't be read";
        let reason = chain(error);
        tracing::error!(user = %user_hash(user), error = reason, "a mailbox row can't be read; it becomes a dead letter");
        let names = [attributes::USER_ID, attributes::SEQUENCE];
        let key: Item =
            names.iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect();
        let sequence = item.get(attributes::SEQUENCE).and_then(|value| value.as_s().ok());
        let message_id = format!("{}-{}", user_hash(user), sequence.map_or("", String::as_str));
        let body: serde_json::Value = serde_dynamo::from_item(item).map_err(item_error)?;
        let body = body.to_string();
        let letter = DeadLetter {
            group: user.as_str(),
            body: &body,
            message_id: &message_id,
            reason: &reason,
            origin: None,
        };
        self.dead_letters.dead_letter(letter).await?;
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key));
        delete.send().await.map(drop).map_err(|error| port_error(OPERATION, error))
    }

    async fn write(&self, operation: &'static str, writes: Vec<WriteRequest>) -> Result<(), PortError> {
        batch_write(&self.client, &self.table, operation, writes, self.retry).await
    }
}

/// The query for a page.
struct Query<'a> {
    user: &'a UserId,
    first: Sequence,
    last: Sequence,
    due_for: &'a [ConnectionId],
}

impl Query<'_> {
    /// Returns true if the row was not yet pushed to at least one of the connections.
    fn is_due(&self, row: &MailboxRow) -> bool {
        self.due_for.iter().any(|connection| !row.pushed_to.contains(connection))
    }

    /// Returns [`Query::is_due`] as a filter expression, or `None` if there are too many connections.
    fn filter(&self) -> Option<String> {
        let not_pushed = |at: usize| format!("NOT contains(#pushed, :connection{at})");
        let each: Vec<_> = self.filtered().map(|(at, _)| not_pushed(at)).collect();
        (!each.is_empty()).then(|| format!("attribute_not_exists(#pushed) OR {}", each.join(" OR ")))
    }

    /// Returns the connections in the filter expression, numbered; none if there are too many.
    fn filtered(&self) -> impl Iterator<Item = (usize, &ConnectionId)> {
        let few = self.due_for.len() <= FILTERED_CONNECTIONS;
        self.due_for.iter().enumerate().filter(move |_| few)
    }
}

impl Mailbox for DynamoMailbox {
    async fn page(&self, user: &UserId, query: PageQuery) -> Result<Page, PortError> {
        let PageQuery { after, up_to, due_for, limit } = query;
        let next = |after: Sequence| after.number().checked_add(1).map(Sequence::new);
        let Some(first) = after.map_or(Some(Sequence::ZERO), next).filter(|first| *first <= up_to) else {
            return Ok(Page::default());
        };
        let query = Query { user, first, last: up_to, due_for: &due_for };
        let limit = limit.max(1);
        let (mut rows, mut start): (Vec<MailboxRow>, Option<Item>) = (Vec::new(), None);
        let mut scan = limit + 1;
        loop {
            let answer = self.query(&query, scan, start.take()).await?;
            let ended_early = usize::try_from(answer.scanned_count).is_ok_and(|scanned| scanned < scan);
            for item in answer.items.unwrap_or_default() {
                match row(item.clone()) {
                    Ok(row) if query.is_due(&row) => rows.push(row),
                    Ok(_) => {}
                    Err(error) => self.dead_letter(user, item, &error).await?,
                }
            }
            start = answer.last_evaluated_key;
            // A query ends early when it has read 1 MiB. Its rows are enough for a page.
            let cut = ended_early && start.is_some() && !rows.is_empty();
            if rows.len() > limit || start.is_none() || cut {
                let more = rows.len() > limit || start.is_some();
                rows.truncate(limit);
                return Ok(Page { rows, more });
            }
            scan = (limit + 1 - rows.len()).max(SCAN);
        }
    }

    async fn put(&self, user: &UserId, rows: Vec<MailboxRow>) -> Result<(), PortError> {
        const OPERATION: &str = "writing to a mailbox";
        debug_assert!(rows.iter().all(|row| row.notification.user_id == *user), "rows of one user");
        let mut items = rows.into_iter().map(item).collect::<Result<Vec<_>, _>>()?;
        if items.len() == 1 {
            let put = self.client.put_item().table_name(&self.table).set_item(items.pop());
            return put.send().await.map(drop).map_err(|error| port_error(OPERATION, error));
        }
        let write = |item| {
            let put = PutRequest::builder().set_item(Some(item)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        };
        let writes = items.into_iter().map(write).collect::<Result<_, _>>();
        self.write(OPERATION, writes.map_err(|error| PortError::permanent(OPERATION, error))?).await
    }

    async fn delete(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        const OPERATION: &str = "deleting from a mailbox";
        if let [only] = sequences {
            let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key(user, *only)));
            return delete.send().await.map(drop).map_err(|error| port_error(OPERATION, error));
        }
        let write = |sequence: &Sequence| {
            let delete = DeleteRequest::builder().set_key(Some(key(user, *sequence))).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        };
        let writes = sequences.iter().map(write).collect::<Result<_, _>>();
        self.write(OPERATION, writes.map_err(|error| PortError::permanent(OPERATION, error))?).await
    }

    async fn mark(&self, user: &UserId, marks: &[(Sequence, ConnectionSet)]) -> Result<(), PortError> {
        // Collected first, because the compiler can't prove that a stream of a closure's futures is `Send`.
        let updates: Vec<_> =
            marks.iter().map(|(sequence, connections)| self.mark_row(user, *sequence, connections)).collect();
        stream::iter(updates).buffer_unordered(MARKS_AT_ONCE).try_collect().await
    }
}

impl DynamoMailbox {
    async fn query(
        &self,
        query: &Query<'_>,
        scan: usize,
        start: Option<Item>,
    ) -> Result<aws_sdk_dynamodb::operation::query::QueryOutput, PortError> {
        let connections =
            query.filtered().map(|(at, id)| (format!(":connection{at}"), AttributeValue::S(id.to_string())));
        let text = |sequence: Sequence| AttributeValue::S(sequence.to_string());
        let filter = query.filter();
        let names = [("#user", attributes::USER_ID), ("#sequence", attributes::SEQUENCE)];
        // DynamoDB refuses a name that no expression uses.
        let names = names.into_iter().chain(filter.is_some().then_some(("#pushed", attributes::PUSHED_TO)));
        let names = names.map(|(name, attribute)| (name.to_owned(), attribute.to_owned()));
        let keys = [
            (":user".to_owned(), AttributeValue::S(query.user.to_string())),
            (":first".to_owned(), text(query.first)),
            (":last".to_owned(), text(query.last)),
        ];
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#user = :user AND #sequence BETWEEN :first AND :last")
            .set_filter_expression(filter)
            .set_expression_attribute_names(Some(names.collect()))
            .set_expression_attribute_values(Some(keys.into_iter().chain(connections).collect()))
            .limit(i32::try_from(scan).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| port_error("reading a mailbox", error))
    }

    async fn mark_row(
        &self,
        user: &UserId,
        sequence: Sequence,
        connections: &ConnectionSet,
    ) -> Result<(), PortError> {
        let marked = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(user, sequence)))
            .condition_expression("attribute_exists(#user)")
            .update_expression("ADD #pushed :connections")
            .expression_attribute_names("#user", attributes::USER_ID)
            .expression_attribute_names("#pushed", attributes::PUSHED_TO)
            .expression_attribute_values(":connections", string_set(connections))
            .send()
            .await;
        match marked {
            Ok(_) => Ok(()),
            // The client has acknowledged the row in the meantime.
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(port_error("marking a row", error)),
        }
    }
}
