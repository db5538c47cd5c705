//! Version 1 of the deployment's contract: what the functions, the tests, and the program that deploys
//! them have to agree on by name. The tables and their keys, the queues, the functions with the
//! environment variables each reads, and the routes of the WebSocket API.
//!
//! `deployment.json` beside this crate is the same in JSON, for programs in other languages; a test keeps
//! it current.

mod functions;
mod tables;
pub mod variables;

pub use functions::{
    AUTH_TOKEN_AUTHORIZER, AUTH_TOKEN_ISSUER, DISPATCHER, FUNCTIONS, Function, REPLAYER, WS_EDGE,
};
pub use tables::{CONNECTIONS, MAILBOX, StreamView, TABLES, TOKENS, Table};
pub use variables::Variable;

use serde::Serialize;

/// The attribute of a dead letter's message that says why it is one.
pub const DEAD_LETTER_REASON: &str = "reason";

/// Routes of the WebSocket API
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html>), each
/// answered by [`WS_EDGE`]. What else a client asks for goes to `$default`.
pub const ROUTES: [&str; 3] = ["$connect", "$disconnect", "$default"];

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
    /// See [`DEAD_LETTER_REASON`].
    pub dead_letter_reason: &'static str,
}

/// Everything.
pub const DEPLOYMENT: Deployment = Deployment {
    version: 1,
    tables: TABLES,
    functions: FUNCTIONS,
    routes: ROUTES,
    dead_letter_reason: DEAD_LETTER_REASON,
};
