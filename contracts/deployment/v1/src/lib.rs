//! Version 1 of the deployment's contract: what the functions, the tests, and the program that deploys
//! them have to agree on by name. The tables and their keys, the functions with the environment variables
//! each reads and what it may do, the event sources, and the routes of the WebSocket API.
//!
//! `deployment.json` beside this crate is the same in JSON, for programs in other languages; a test keeps
//! it current.

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

/// The attribute of a dead letter's message that says why it is one.
pub const DEAD_LETTER_REASON: &str = "reason";

/// Routes of the WebSocket API
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html>), each
/// answered by [`WS_EDGE`]. What else a client asks for goes to `$default`.
pub const ROUTES: [&str; 3] = ["$connect", "$disconnect", "$default"];

/// A request that is answered over plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Door {
    /// The request's method.
    pub method: &'static str,
    /// The request's path below the API's URL.
    pub path: &'static str,
}

/// Where a user who has authenticated gets a connect token, of [`AUTH_TOKEN_ISSUER`].
pub const TOKEN_DOOR: Door = Door { method: "POST", path: "/token" };

/// Where a producer sends a notification, which goes to the queue.
pub const PRODUCER_DOOR: Door = Door { method: "POST", path: "/notifications" };

/// Where operators read a user's history, of [`WS_EDGE`]: beside the producers' door, behind the same stage.
/// The braces stand for the user's id, and for `sessions` or `messages`.
pub const HISTORY_DOOR: Door = Door { method: "GET", path: "/history/{userId}/{kind}" };

/// How the notifications queue invokes [`DISPATCHER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueSource {
    /// Most messages of one invocation; a FIFO queue allows 10
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
    pub batch_size: u32,
    /// How long a received message stays invisible, in seconds: six times the function's timeout, as Lambda
    /// wants it. What failed comes again sooner, because the dispatcher says when.
    pub visibility_timeout_seconds: u32,
    /// How often a message is received before it becomes a dead letter. Failures of an hour take some 20
    /// receipts, those of a day some 300.
    pub max_receive_count: u32,
}

/// See [`QueueSource`].
pub const QUEUE_SOURCE: QueueSource = QueueSource {
    batch_size: 10,
    visibility_timeout_seconds: 6 * DISPATCHER.timeout_seconds,
    max_receive_count: 300,
};

/// How the stream of [`CONNECTIONS`] invokes [`REPLAYER`]: inserts alone, with partial batch responses, and
/// a batch that failed cut in half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamSource {
    /// Most records of one invocation.
    pub batch_size: u32,
    /// Batches of one shard at the same time.
    pub parallelization_factor: u32,
    /// How often a record is tried again before it goes to the failure destination.
    pub maximum_retry_attempts: u32,
    /// Which records there are.
    pub event_name: &'static str,
}

/// See [`StreamSource`].
pub const STREAM_SOURCE: StreamSource = StreamSource {
    batch_size: 100,
    parallelization_factor: 10,
    maximum_retry_attempts: 1_000,
    event_name: "INSERT",
};

/// All of this contract, as `deployment.json` has it.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Of this contract.
    pub version: u32,
    /// The tables.
    pub tables: [&'static Table; TABLES.len()],
    /// The functions.
    pub functions: [&'static Function; FUNCTIONS.len()],
    /// The routes of the WebSocket API.
    pub routes: [&'static str; ROUTES.len()],
    /// Where users get connect tokens.
    pub token_door: Door,
    /// Where producers send notifications.
    pub producer_door: Door,
    /// Where operators read the history, if there is one.
    pub history_door: Door,
    /// How the queue invokes the dispatcher.
    pub queue_source: QueueSource,
    /// How the stream invokes the replayer.
    pub stream_source: StreamSource,
    /// See [`DEAD_LETTER_REASON`].
    pub dead_letter_reason: &'static str,
}

/// Everything.
pub const DEPLOYMENT: Deployment = Deployment {
    version: 1,
    tables: TABLES,
    functions: FUNCTIONS,
    routes: ROUTES,
    token_door: TOKEN_DOOR,
    producer_door: PRODUCER_DOOR,
    history_door: HISTORY_DOOR,
    queue_source: QUEUE_SOURCE,
    stream_source: STREAM_SOURCE,
    dead_letter_reason: DEAD_LETTER_REASON,
};
