//! Answers the routes of the WebSocket API: `$connect`, `$disconnect`, and the frames of clients. It owns
//! the Connections table.
//!
//! The authorizer has decided who a client is before the edge sees it; the edge decides how the connection
//! wants its notifications and answers what the client sends. An action is a variant of
//! [`ClientFrame`](contract_frames_v1::ClientFrame) and a [`Decision`] about it.

mod config;
mod core;
pub mod ports;
mod service;
mod telemetry;

pub use config::{ConnectionLimit, EdgeConfig, Excess, RateLimit, SendPolicy};
pub use core::admission::{Admission, ClientInfo, ConnectRefusal, ConnectRequest, admit};
pub use core::frame::{Caller, Decision, Inbound, decide};
pub use core::members::MembersOrder;
pub use core::sending::{Letter, SendOrder, Target};
pub use service::{ConnectError, Edge, MessageRequest};
pub use telemetry::describe_metrics;
