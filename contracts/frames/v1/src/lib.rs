//! Version 1 of the WebSocket frames, both directions. All are JSON text frames.
//!
//! To the client go [`ServerFrame`]s; a connection that asked for the `raw` format gets bare payloads
//! instead. From the client come [`ClientFrame`]s, told apart by `action`.

mod client;
mod encode;
mod limits;
mod payloads;
mod server;

pub use client::{
    ACTIONS, Broadcast, ClientFrame, HistoryQuery, InvalidFrame, MAX_ACK_SEQUENCES, MAX_MEMBERS,
    MAX_SESSIONS, MembersQuery, Message, MessageData, Recipient, SendMessage,
};
pub use encode::{encode_batch, encode_single, item_len};
pub use limits::{FrameTooLarge, MAX_BATCH_BYTES, MAX_MESSAGE_BYTES, require_fits};
pub use payloads::{ChatMessage, DirectMessage, DirectMessageData, Presence, PresenceEvent};
pub use server::{Delivery, ErrorCode, InvalidServerFrame, SendResult, ServerFrame, Whoami};

/// The WebSocket subprotocol, and the value of the `protocol` query parameter, by which a client asks for
/// this version's batched frames.
pub const SUBPROTOCOL: &str = "tidings.v1";
