//! Version 1 of the WebSocket frames in both directions. All are JSON text frames.
//!
//! The gateway sends [`ServerFrame`]s, distinguished by `type`; a connection in the `raw` format gets bare
//! payloads instead. The client sends [`ClientFrame`]s, distinguished by `action`.

mod client;
mod encode;
mod limits;
mod payloads;
mod server;
mod subprotocol;

pub use client::{
    ACTIONS, Broadcast, ClientFrame, HistoryQuery, InvalidFrame, MAX_ACK_SEQUENCES, MAX_MEMBERS,
    MAX_SESSIONS, MembersQuery, Message, MessageData, Recipient, SendMessage, Session,
};
pub use encode::{encode_batch, encode_single, item_len};
pub use limits::{FrameTooLarge, MAX_BATCH_BYTES, MAX_MESSAGE_BYTES, require_fits};
pub use payloads::{ChatMessage, DirectMessage, DirectMessageData, Presence, PresenceEvent};
pub use server::{Delivery, ErrorCode, InvalidServerFrame, SendResult, ServerFrame, Whoami};
pub use subprotocol::{
    JWT_SUBPROTOCOL, SUBPROTOCOL, TOKEN_SUBPROTOCOL, UnknownSubprotocol, choose_subprotocol,
};
