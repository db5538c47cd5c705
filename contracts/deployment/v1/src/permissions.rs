//! What functions may do, and to what: the least that their ports need.

use serde::Serialize;

/// What a permission is for. The program that deploys knows the ARN.
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
    /// The table in which clients' actions are counted.
    RatesTable,
    /// The table of unused connect tokens.
    TokensTable,
    /// The table of the history, where there is one; without it the permissions on it fall away.
    HistoryTable,
    /// The notifications queue.
    NotificationsQueue,
    /// Its dead-letter queue.
    DeadLetterQueue,
    /// The queue, not FIFO, of the stream's records that could not be replayed. They are records' places in
    /// the stream, not rows: <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>.
    ReplayFailureQueue,
    /// The KMS key of connect tokens.
    TokenKey,
    /// The secret of JSON Web Tokens with HS256, where there is one.
    JwtSecret,
    /// The secret by which handshakes are signed, where there is one.
    HmacSecret,
    /// The connections of the WebSocket API's stage: `{api}/{stage}/POST/@connections/*`.
    Connections,
}

/// Actions that a function's role allows on one resource, if the deployment has it
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// On what.
    pub resource: Resource,
    /// What.
    pub actions: &'static [&'static str],
}

const fn allow(resource: Resource, actions: &'static [&'static str]) -> Permission {
    Permission { resource, actions }
}

/// Of the dispatcher. What is done to the queue besides sending is done by its event source, in its name.
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

/// Of the replayer. The stream is read by its event source, in its name, and what failed is put aside so too.
pub(crate) const REPLAYER: &[Permission] = &[
    allow(Resource::MailboxTable, &["dynamodb:Query"]),
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

/// Of the edge.
pub(crate) const WS_EDGE: &[Permission] = &[
    allow(Resource::ConnectionsTable, &["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query"]),
    allow(Resource::MailboxTable, &["dynamodb:BatchWriteItem"]),
    allow(Resource::HubsTable, &["dynamodb:BatchWriteItem", "dynamodb:Query"]),
    allow(Resource::RatesTable, &["dynamodb:UpdateItem", "dynamodb:GetItem"]),
    allow(Resource::NotificationsQueue, &["sqs:SendMessage"]),
    allow(Resource::Connections, &["execute-api:ManageConnections"]),
    allow(Resource::HistoryTable, &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"]),
];

/// Of the issuer.
pub(crate) const AUTH_TOKEN_ISSUER: &[Permission] =
    &[allow(Resource::TokensTable, &["dynamodb:PutItem"]), allow(Resource::TokenKey, &["kms:Encrypt"])];

/// Of the authorizer.
pub(crate) const AUTH_TOKEN_AUTHORIZER: &[Permission] = &[
    allow(Resource::TokensTable, &["dynamodb:DeleteItem", "dynamodb:PutItem"]),
    allow(Resource::TokenKey, &["kms:Decrypt"]),
    allow(Resource::JwtSecret, &["secretsmanager:GetSecretValue"]),
    allow(Resource::HmacSecret, &["secretsmanager:GetSecretValue"]),
];
