//! Version 1 of the history's contract: a row for each session and each outcome of a notification, the keys
//! that sort them by time, and the pages that readers get.
//!
//! The edge writes sessions, the dispatcher writes outcomes, and the edge reads both for operators and
//! clients. The history is a record for people: delivery never depends on it, and rows may be missing after a
//! failure.

mod key;
mod page;
mod rows;

pub use key::{HistoryOutcome, InvalidKey, MessageKey, SessionKey};
pub use page::{
    DEFAULT_PAGE, HistoryKind, InvalidPageRequest, MAX_PAGE, Message, Page, PageRequest, Session, UnknownKind,
};
pub use rows::{MAX_USER_AGENT_CHARS, MessageRow, SessionRow};

/// Names of the table's key attributes and of the attributes that are updated.
pub mod attributes {
    /// Partition key: the user.
    pub const USER_ID: &str = "userId";
    /// Sort key: a [`SessionKey`](crate::SessionKey) or a [`MessageKey`](crate::MessageKey) as text.
    pub const ENTRY: &str = "entry";
    /// Time at which a session ended.
    pub const CLOSED_AT: &str = "closedAt";
    /// Duration of a session, in milliseconds.
    pub const DURATION_MS: &str = "durationMs";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}
