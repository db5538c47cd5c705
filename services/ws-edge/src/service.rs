//! Carries out the decisions of [`core`](crate::core) over the edge's [ports](crate::ports).

mod client_messages;
mod connect;
mod edge;
mod frames;
mod history;
mod members;
mod message_id;
mod refusal;

pub use connect::ConnectError;
pub use edge::Edge;
pub use frames::MessageRequest;
