//! Version 1 of the deployment's contract: the names that the functions, their tests and the deploying
//! program share. These are the tables with their keys, the functions with their environment variables and
//! permissions, the event sources, and the routes of the APIs.
//!
//! `deployment.json` beside this crate has the same content for programs in other languages. A test keeps it
//! current.

mod functions;
mod permissions;
mod tables;
pub mod variables;

pub use functions::{
    AUTH_TOKEN_AUTHORIZER, AUTH_TOKEN_ISSUER, DISPATCHER, FUNCTIONS, Function, REPLAYER, WS_EDGE,
};
pub use permissions::{Permission, Resource};
pub use tables::{CONNECTIONS, HISTORY, HUBS, MAILBOX, RATES, StreamView, TABLES, TOKENS, Table};
pub use variables::Variable;

use serde::Serialize;

/// Message attribute with the reason for dead-lettering.
pub const DEAD_LETTER_REASON: &str = "reason";

/// Message attribute of a dead letter with the deduplication ID that the entry had on the notifications queue. A
/// notification takes it for its id if its body has none. Absent from letters that SQS moved, which keep their own.
pub const DEAD_LETTER_ID: &str = "id";

/// Message attribute of a dead letter with the time at which the entry was sent to the notifications queue, in
/// milliseconds since the epoch. A notification takes it for its `sentAt` if its body has none.
pub const DEAD_LETTER_SENT_AT: &str = "sentAt";

/// Routes of the WebSocket API
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html>), all
/// answered by [`WS_EDGE`]. All client actions go to `$default`.
pub const ROUTES: [&str; 3] = ["$connect", "$disconnect", "$default"];

/// A route of an HTTP API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    /// The request's method.
    pub method: &'static str,
    /// The request's path below the API's URL.
    pub path: &'static str,
}

/// Route on which [`AUTH_TOKEN_ISSUER`] gives an authenticated user a connect token.
pub const TOKEN_ROUTE: HttpRoute = HttpRoute { method: "POST", path: "/token" };

/// Route on which a producer sends a notification to the queue.
pub const PRODUCER_ROUTE: HttpRoute = HttpRoute { method: "POST", path: "/notifications" };

/// Route on which a producer sends a notification to one of several queues, that of its user. `{queue}` stands for the
/// queue's index from 0. It belongs to the same API and stage as [`PRODUCER_ROUTE`], which sends to the first queue.
pub const PRODUCER_QUEUE_ROUTE: HttpRoute =
    HttpRoute { method: "POST", path: "/queues/{queue}/notifications" };

/// Route on which [`WS_EDGE`] answers an operator with a user's history. It belongs to the same API and stage
/// as the producers' route. `{userId}` stands for the user's id and `{kind}` for `sessions` or `messages`.
pub const HISTORY_ROUTE: HttpRoute = HttpRoute { method: "GET", path: "/history/{userId}/{kind}" };

/// Settings of the event source with which the notifications queue invokes [`DISPATCHER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueSource {
    /// Largest number of messages of an invocation; a FIFO queue allows 10
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
    pub batch_size: u32,
    /// Visibility timeout of a received message, in seconds: six times the function's timeout, as Lambda
    /// recommends. The dispatcher makes failed messages visible sooner.
    pub visibility_timeout_seconds: u32,
    /// Number of receives after which a message becomes a dead letter. Failures of an hour take some 20
    /// receives, those of a day some 300.
    pub max_receive_count: u32,
}

/// The queue's event source; see [`QueueSource`].
pub const QUEUE_SOURCE: QueueSource = QueueSource {
    batch_size: 10,
    visibility_timeout_seconds: 6 * DISPATCHER.timeout_seconds,
    max_receive_count: 300,
};

/// Settings of the event source with which the stream of [`CONNECTIONS`] invokes [`REPLAYER`]. It delivers
/// only inserts, accepts partial batch responses, and splits a failed batch in half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamSource {
    /// Largest number of records of an invocation.
    pub batch_size: u32,
    /// Number of batches of one shard that are processed at the same time.
    pub parallelization_factor: u32,
    /// Number of retries of a record before it goes to the failure destination.
    pub maximum_retry_attempts: u32,
    /// Type of the delivered records.
    pub event_name: &'static str,
}

/// The stream's event source; see [`StreamSource`].
pub const STREAM_SOURCE: StreamSource = StreamSource {
    batch_size: 100,
    parallelization_factor: 10,
    maximum_retry_attempts: 1_000,
    event_name: "INSERT",
};

/// Schedule on which [`REPLAYER`] is invoked to queue scheduled replays
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>).
pub const SWEEP_SCHEDULE: &str = "rate(1 minute)";

/// The content of `deployment.json`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Contract version.
    pub version: u32,
    /// The tables.
    pub tables: [&'static Table; TABLES.len()],
    /// The functions.
    pub functions: [&'static Function; FUNCTIONS.len()],
    /// The routes of the WebSocket API.
    pub routes: [&'static str; ROUTES.len()],
    /// Route for connect tokens.
    #[serde(rename = "tokenDoor")]
    pub token_route: HttpRoute,
    /// Route for producers' notifications.
    #[serde(rename = "producerDoor")]
    pub producer_route: HttpRoute,
    /// Route for producers' notifications to one of several queues.
    #[serde(rename = "producerQueueDoor")]
    pub producer_queue_route: HttpRoute,
    /// Route for the history, if the deployment has one.
    #[serde(rename = "historyDoor")]
    pub history_route: HttpRoute,
    /// Event source of the dispatcher.
    pub queue_source: QueueSource,
    /// Event source of the replayer.
    pub stream_source: StreamSource,
    /// See [`SWEEP_SCHEDULE`].
    pub sweep_schedule: &'static str,
    /// See [`DEAD_LETTER_REASON`].
    pub dead_letter_reason: &'static str,
    /// See [`DEAD_LETTER_ID`].
    pub dead_letter_id: &'static str,
    /// See [`DEAD_LETTER_SENT_AT`].
    pub dead_letter_sent_at: &'static str,
}

/// The deployment: all of this contract.
pub const DEPLOYMENT: Deployment = Deployment {
    version: 1,
    tables: TABLES,
    functions: FUNCTIONS,
    routes: ROUTES,
    token_route: TOKEN_ROUTE,
    producer_route: PRODUCER_ROUTE,
    producer_queue_route: PRODUCER_QUEUE_ROUTE,
    history_route: HISTORY_ROUTE,
    queue_source: QUEUE_SOURCE,
    stream_source: STREAM_SOURCE,
    sweep_schedule: SWEEP_SCHEDULE,
    dead_letter_reason: DEAD_LETTER_REASON,
    dead_letter_id: DEAD_LETTER_ID,
    dead_letter_sent_at: DEAD_LETTER_SENT_AT,
};
