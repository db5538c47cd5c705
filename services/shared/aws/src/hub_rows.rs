//! Reads the rows of a hub from all of its partitions, in the order of the member keys.
//!
//! Each partition is a sorted list of which some rows have been read. The next row is the smallest of their first
//! rows; a partition without one is read on first. So a page costs a query for each partition, and further ones only
//! for those with many more rows than their share.

mod merge;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_connections_v1::{HUB_SHARDS, HubPartition, MemberKey, hub_attributes};
use contract_notifications_v1::{HubName, UserId};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use shared_ports::PortError;
use shared_telemetry::chain;

use self::merge::{Merge, Next, Part};
use crate::error::port_error;
use crate::partition::Item;

/// Number of a hub's partitions that are read at a time.
const PARALLEL_READS: usize = 3;
/// Name of the operation in errors.
const OPERATION: &str = "reading a hub's members";

/// The rows to read.
#[derive(Debug, Clone, Copy)]
pub struct HubQuery<'a> {
    /// The hub.
    pub hub: &'a HubName,
    /// The rows begin after this user.
    pub after: Option<&'a UserId>,
    /// Number of rows that the reader is likely to take.
    pub expected: usize,
    /// True for strongly consistent reads.
    pub consistent: bool,
}

/// A row of a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubMemberRow {
    /// The member.
    pub member: MemberKey,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch.
    pub ttl: Option<u64>,
}

/// The rows of a hub that are not read yet.
#[derive(Debug)]
pub struct HubRows<'a> {
    client: &'a Client,
    table: &'a str,
    query: HubQuery<'a>,
    partitions: Vec<HubPartition>,
    merge: Merge<HubMemberRow>,
}

/// Returns the rows of a hub, which are read as they are taken.
pub fn hub_rows<'a>(client: &'a Client, table: &'a str, query: HubQuery<'a>) -> HubRows<'a> {
    // A space sorts before every member key.
    let after = query.after.map_or_else(|| " ".to_owned(), MemberKey::after);
    let partitions: Vec<_> = HubPartition::all(query.hub).collect();
    let merge = Merge::new(partitions.len(), &after, rows_at_first(query.expected));
    HubRows { client, table, query, partitions, merge }
}

/// Returns the number of rows to read from each partition at first, so that seldom one has to be read again: the
/// share of a shard, and twice the root of it, about which the number of users in a shard varies.
fn rows_at_first(expected: usize) -> usize {
    let share = expected.div_ceil(usize::from(HUB_SHARDS)).max(1);
    share + 2 * share.isqrt()
}

impl HubRows<'_> {
    /// Returns the next row, in ascending order of member keys; `None` after the last. Rows that can't be parsed are
    /// logged and left out, because one must not hide the others.
    ///
    /// # Errors
    /// [`PortError`] if a partition could not be read.
    pub async fn next(&mut self) -> Result<Option<HubMemberRow>, PortError> {
        loop {
            match self.merge.next() {
                Next::Row(row) => return Ok(Some(row)),
                Next::End => return Ok(None),
                Next::Read(parts) => {
                    let reads: Vec<_> = parts.into_iter().map(|part| self.read(part)).collect();
                    let pages: Vec<_> =
                        stream::iter(reads).buffer_unordered(PARALLEL_READS).try_collect().await?;
                    for (part, page) in pages {
                        self.merge.add(part, page);
                    }
                }
            }
        }
    }

    async fn read(&self, part: usize) -> Result<(usize, Part<HubMemberRow>), PortError> {
        let Self { client, table, query, partitions, merge } = self;
        let (after, limit) = merge.position(part);
        let answer = client
            .query()
            .table_name(*table)
            .consistent_read(query.consistent)
            .key_condition_expression("#hub = :hub AND #member > :after")
            .projection_expression("#member, #ttl")
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .expression_attribute_names("#hub", hub_attributes::HUB)
            .expression_attribute_names("#member", hub_attributes::MEMBER)
            .expression_attribute_names("#ttl", hub_attributes::TTL)
            .expression_attribute_values(":hub", AttributeValue::S(partitions[part].to_string()))
            .expression_attribute_values(":after", AttributeValue::S(after.to_owned()))
            .send()
            .await
            .map_err(|error| port_error(OPERATION, error))?;
        let items = answer.items.unwrap_or_default();
        let last = items.last().and_then(key).map(ToOwned::to_owned);
        let rows = items.iter().filter_map(|item| self.row(item)).collect();
        Ok((part, Part { rows, last: last.filter(|_| answer.last_evaluated_key.is_some()) }))
    }

    fn row(&self, item: &Item) -> Option<(String, HubMemberRow)> {
        let key = key(item)?;
        let ttl = item.get(hub_attributes::TTL).and_then(|ttl| ttl.as_n().ok()?.parse().ok());
        match key.parse() {
            Ok(member) => Some((key.to_owned(), HubMemberRow { member, ttl })),
            Err(error) => {
                tracing::error!(hub = %self.query.hub, error = chain(&error), "row of a hub member can't be read");
                None
            }
        }
    }
}

/// Returns the sort key of an item.
fn key(item: &Item) -> Option<&str> {
    item.get(hub_attributes::MEMBER)?.as_s().ok().map(String::as_str)
}
