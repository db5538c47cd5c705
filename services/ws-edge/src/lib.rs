//! Answers the routes of the WebSocket API: `$connect`, `$disconnect` and the frames that clients send. The
//! edge owns the Connections table.
//!
//! The authorizer has proved the client's identity before the edge sees the handshake. The edge chooses the
//! connection's frame format, enforces limits, and answers each frame.
//!
//! - [`admit`] and [`decide`] are pure: they turn a handshake or a frame into a decision, without IO.
//! - [`Edge`] carries decisions out over its [`ports`].
//! - To add an action, add a variant to [`ClientFrame`](contract_frames_v1::ClientFrame) and its
//!   [`Decision`].

mod config;
mod core;
mod delivery_only;
pub mod ports;
mod service;
mod telemetry;

pub use config::{
    ClientMessagePolicy, ConnectionLimit, EdgeConfig, Excess, MAX_HANDSHAKE, RateLimit,
    UNCOUNTED_ACKNOWLEDGEMENTS, heartbeat_within,
};
pub use core::admission::{Admission, ClientInfo, ConnectRefusal, ConnectRequest, admit};
pub use core::caller::Caller;
pub use core::client_messages::{ClientMessage, PRESENCE_KIND, SendRequest, Target};
pub use core::frame::{Decision, Inbound, decide};
pub use core::members::MembersRequest;
pub use delivery_only::{DeliveryOnly, Disabled};
pub use service::{ConnectError, Edge, MessageRequest};
pub use telemetry::describe_metrics;
