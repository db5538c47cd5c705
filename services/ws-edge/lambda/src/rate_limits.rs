//! Counts clients' actions in DynamoDB.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use contract_connections_v1::rate_attributes;
use contract_notifications_v1::Timestamp;
use shared_aws::port_error;
use shared_ports::PortError;
use ws_edge::RateLimit;
use ws_edge::ports::{Counted, RateKey, RateLimits};

const OPERATION: &str = "counting an action";

/// The table of action counters: one row for each connection and one for each user, with the start of the
/// current window and the number of actions in it.
///
/// An action within the window costs one conditional write, an action that begins a window two, and a refused
/// action two writes and a read.
#[derive(Debug, Clone)]
pub struct DynamoRateLimits {
    client: Client,
    table: String,
}

impl DynamoRateLimits {
    /// Creates an adapter for `table`.
    pub fn new(client: &Client, table: &str) -> Self {
        Self { client: client.clone(), table: table.to_owned() }
    }

    /// Updates a row if a condition holds, and returns true if it did.
    async fn change(
        &self,
        key: &str,
        update: &str,
        condition: &str,
        values: impl IntoIterator<Item = (&str, u64)>,
    ) -> Result<bool, PortError> {
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(rate_attributes::KEY, AttributeValue::S(key.to_owned()))
            .update_expression(update)
            .condition_expression(condition)
            .expression_attribute_names("#window", rate_attributes::WINDOW)
            .expression_attribute_names("#count", rate_attributes::COUNT);
        if update.contains("#ttl") {
            request = request.expression_attribute_names("#ttl", rate_attributes::TTL);
        }
        for (name, value) in values {
            request = request.expression_attribute_values(name, AttributeValue::N(value.to_string()));
        }
        match request.send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(false)
            }
            Err(error) => Err(port_error(OPERATION, error)),
        }
    }

    /// Reads the start of the current window.
    async fn window(&self, key: &str) -> Result<Option<Timestamp>, PortError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .key(rate_attributes::KEY, AttributeValue::S(key.to_owned()))
            .send()
            .await
            .map_err(|error| port_error(OPERATION, error))?;
        let window = found.item.as_ref().and_then(|item| item.get(rate_attributes::WINDOW));
        let millis = window.and_then(|window| window.as_n().ok()).and_then(|text| text.parse().ok());
        Ok(millis.map(Timestamp::from_millis))
    }
}

/// Returns what the keys of a count begin with.
const fn name(counted: Counted) -> &'static str {
    match counted {
        Counted::Actions => "user",
        Counted::Acknowledgements => "acknowledgements",
        Counted::Recipients => "recipients",
        Counted::HubMembers => "hub-members",
        Counted::Arrivals => "arrivals",
        Counted::Bytes => "bytes",
        Counted::Held => "quota",
        Counted::Mailbox => "mailbox",
    }
}

impl RateLimits for DynamoRateLimits {
    async fn take(
        &self,
        key: RateKey<'_>,
        limit: RateLimit,
        amount: u32,
        now: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        let key = match key {
            RateKey::Connection(id) => format!("connection/{id}"),
            RateKey::User(counted, id) => format!("{}/{id}", name(counted)),
            RateKey::Guests(counted, address) => format!("guests/{}/{address}", name(counted)),
        };
        // A count up to this leaves room for the amount.
        let room = u64::from(limit.most.saturating_sub(amount));
        let per = u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX);
        // A window that began at this time or before is over.
        let over = now.millis().saturating_sub(per);
        let counted = self.change(
            &key,
            "ADD #count :amount",
            "#window > :over AND #count <= :room",
            [(":amount", amount.into()), (":over", over), (":room", room)],
        );
        if counted.await? {
            return Ok(None);
        }
        let ttl = now.plus(limit.per).plus(Duration::from_mins(10)).ttl_seconds();
        let began = self.change(
            &key,
            "SET #window = :now, #count = :amount, #ttl = :ttl",
            "attribute_not_exists(#count) OR #window <= :over",
            [(":now", now.millis()), (":amount", amount.into()), (":ttl", ttl), (":over", over)],
        );
        if began.await? {
            return Ok(None);
        }
        let window = self.window(&key).await?.unwrap_or(now);
        Ok(Some(window.plus(limit.per).since(now)))
    }
}
