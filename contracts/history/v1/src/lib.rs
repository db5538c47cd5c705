//! Version 1 of the history's contract: a row per session and per thing that became of a notification, the
//! keys by which they are read newest first, and what readers get of them.
//!
//! The edge writes sessions, the dispatcher writes messages, and the edge reads both for operators and
//! clients. A history is a record for people: nothing about delivery is decided by it, and rows may be
//! missing after a failure.

mod key;
mod page;
mod rows;

pub use key::{InvalidKey, MessageKey, SessionKey, What};
pub use page::{
    DEFAULT_PAGE, InvalidPageRequest, Kind, MAX_PAGE, Message, Page, PageRequest, Session, UnknownKind,
};
pub use rows::{MAX_USER_AGENT_CHARS, MessageRow, SessionRow};

/// Names of the table's key attributes and of those that are updated.
pub mod attributes {
    /// Partition key: whose history.
    pub const USER_ID: &str = "userId";
    /// Sort key: a [`SessionKey`](crate::SessionKey) or a [`MessageKey`](crate::MessageKey) as text.
    pub const ENTRY: &str = "entry";
    /// When a session ended.
    pub const CLOSED_AT: &str = "closedAt";
    /// How long a session lasted.
    pub const DURATION_MS: &str = "durationMs";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}
