//! What can be wrong with a client's frame, in words its author can act on.

use std::fmt;

use contract_notifications_v1::{InvalidIdentifier, InvalidSequence};

use super::{ACTIONS, MAX_ACK_SEQUENCES, MAX_SESSIONS};

/// Why a client's frame is refused.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFrame {
    /// Not JSON, or not an object.
    #[error("the frame is not a JSON object with an \"action\"; actions are {}", ActionList)]
    Json(#[source] serde_json::Error),
    /// No `action`, or one that is not known.
    #[error("action {found:?} is unknown; actions are {}", ActionList)]
    UnknownAction {
        /// The action found, cut to 64 characters.
        found: String,
    },
    /// A field of the action is missing or of the wrong type.
    #[error("the {action:?} frame is not of the expected form: {expected}")]
    Form {
        /// Which action.
        action: &'static str,
        /// What it should look like.
        expected: &'static str,
        /// What the JSON parser found.
        #[source]
        source: serde_json::Error,
    },
    /// A sequence that is none.
    #[error(transparent)]
    Sequence(#[from] InvalidSequence),
    /// A user, hub or id that is none.
    #[error(transparent)]
    Identifier(#[from] InvalidIdentifier),
    /// More sequences than [`MAX_ACK_SEQUENCES`].
    #[error("the ack names {found} sequences; allowed are at most {MAX_ACK_SEQUENCES}")]
    TooManySequences {
        /// How many it names.
        found: usize,
    },
    /// No sessions, or more than [`MAX_SESSIONS`].
    #[error("the message names {found} sessions; allowed are 1 to {MAX_SESSIONS}")]
    Sessions {
        /// How many it names.
        found: usize,
    },
    /// An empty text.
    #[error("the message is empty; give a text")]
    EmptyMessage,
    /// A page of nothing, or of too much.
    #[error("the limit is {found}; allowed are 1 to {most}")]
    Limit {
        /// The limit found.
        found: usize,
        /// The largest there may be.
        most: usize,
    },
}

/// The known actions, for an error message.
struct ActionList;

impl fmt::Display for ActionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ACTIONS.join(", "))
    }
}
