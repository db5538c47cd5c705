//! The functions' permissions: the fewest that their ports need.

use serde::Serialize;

/// A resource of a deployment. The deploying program knows its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Resource {
    /// The Connections table.
    ConnectionsTable,
    /// The stream of the Connections table.
    ConnectionsStream,
    /// The mailbox table.
    MailboxTable,
    /// The table of the hubs' members.
    HubsTable,
    /// The table with counts of client actions.
    RatesTable,
    /// The table of unused connect tokens.
    TokensTable,
    /// The history's table. Optional; permissions on it apply only if it exists.
    HistoryTable,
    /// The notifications queue.
    NotificationsQueue,
    /// The dead-letter queue of the notifications queue.
    DeadLetterQueue,
    /// The standard queue for stream records that could not be replayed. A message has the record's position
    /// in the stream, not the row: <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>.
    ReplayFailureQueue,
    /// The KMS key of connect tokens.
    TokenKey,
    /// The shared secret of JSON Web Tokens with HS256. Optional.
    JwtSecret,
    /// The shared secret of signed handshakes. Optional.
    HmacSecret,
    /// Pushes to the connections of the WebSocket API's stage: `{api}/{stage}/POST/@connections/*`.
    Connections,
    /// Closing of the connections of the WebSocket API's stage: `{api}/{stage}/DELETE/@connections/*`.
    ConnectionDeletions,
}

/// Actions that a function's role allows on one resource, if the deployment has the resource
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// The resource.
    pub resource: Resource,
    /// Names of the allowed actions.
    pub actions: &'static [&'static str],
}

const fn allow(resource: Resource, actions: &'static [&'static str]) -> Permission {
    Permission { resource, actions }
}

/// Permissions of the dispatcher. Its event source uses the same role to receive and delete messages.
pub(crate) const DISPATCHER: &[Permission] = &[
    allow(Resource::ConnectionsTable, &["dynamodb:Query", "dynamodb:DeleteItem"]),
    allow(
        Resource::MailboxTable,
        &[
            "dynamodb:Query",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:BatchWriteItem",
        ],
    ),
    allow(
        Resource::NotificationsQueue,
        &[
            "sqs:SendMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
    ),
    allow(Resource::DeadLetterQueue, &["sqs:SendMessage"]),
    allow(Resource::HubsTable, &["dynamodb:Query"]),
    allow(Resource::HistoryTable, &["dynamodb:BatchWriteItem"]),
    allow(Resource::Connections, &["execute-api:ManageConnections"]),
];

/// Permissions of the replayer. Its event source uses the same role to read the stream and to send failed
/// records to the failure queue.
pub(crate) const REPLAYER: &[Permission] = &[
    allow(Resource::MailboxTable, &["dynamodb:Query", "dynamodb:DeleteItem"]),
    allow(Resource::NotificationsQueue, &["sqs:SendMessage"]),
    allow(
        Resource::ConnectionsStream,
        &[
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ],
    ),
    allow(Resource::ReplayFailureQueue, &["sqs:SendMessage"]),
];

/// Permissions of the edge. It closes connections and pushes to none: its answers are those of the function.
pub(crate) const WS_EDGE: &[Permission] = &[
    allow(Resource::ConnectionsTable, &["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query"]),
    allow(Resource::MailboxTable, &["dynamodb:BatchWriteItem"]),
    allow(Resource::HubsTable, &["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:Query"]),
    allow(Resource::RatesTable, &["dynamodb:UpdateItem", "dynamodb:GetItem"]),
    allow(Resource::NotificationsQueue, &["sqs:SendMessage"]),
    allow(Resource::ConnectionDeletions, &["execute-api:ManageConnections"]),
    allow(Resource::HistoryTable, &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"]),
];

/// Permissions of the issuer.
pub(crate) const AUTH_TOKEN_ISSUER: &[Permission] = &[
    allow(Resource::TokensTable, &["dynamodb:PutItem"]),
    allow(Resource::TokenKey, &["kms:GenerateDataKey"]),
];

/// Permissions of the authorizer.
pub(crate) const AUTH_TOKEN_AUTHORIZER: &[Permission] = &[
    allow(Resource::TokensTable, &["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:BatchGetItem"]),
    allow(Resource::TokenKey, &["kms:Decrypt"]),
    allow(Resource::JwtSecret, &["secretsmanager:GetSecretValue"]),
    allow(Resource::HmacSecret, &["secretsmanager:GetSecretValue"]),
];
