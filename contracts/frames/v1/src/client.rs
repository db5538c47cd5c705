//! Frames from the client.

mod frame;
mod invalid;
mod parse;
mod strip;

pub use frame::{
    ACTIONS, Broadcast, ClientFrame, HistoryQuery, MAX_ACK_SEQUENCES, MAX_MEMBERS, MAX_SESSIONS,
    MembersQuery, Message, MessageData, Recipient, SendMessage, Session,
};
pub use invalid::InvalidFrame;
