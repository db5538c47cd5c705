//! Errors in a client's frame, in words its author can act on.

use std::fmt;

use contract_notifications_v1::{InvalidIdentifier, InvalidSequence};

use super::frame::{ACTIONS, MAX_ACK_SEQUENCES, MAX_SESSIONS};

/// Reasons for refusing a client's frame.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFrame {
    /// The frame is not a JSON object.
    #[error("the frame is not a JSON object with an \"action\"; actions are {}", ActionList)]
    Json(#[source] serde_json::Error),
    /// The `action` is missing.
    #[error("the field \"action\" is missing; actions are {}", ActionList)]
    MissingAction,
    /// The `action` is not a text.
    #[error("the field \"action\" is not a text; actions are {}", ActionList)]
    ActionNotText,
    /// A field is given more than once.
    #[error("the field {field:?} is given twice")]
    Repeated {
        /// The field's name.
        field: String,
    },
    /// The `action` is unknown.
    #[error("action {found:?} is unknown; actions are {}", ActionList)]
    UnknownAction {
        /// The action found, cut to 64 characters.
        found: String,
    },
    /// A field of the action is missing or has the wrong type.
    #[error("the {action:?} frame is not of the expected form: {expected}{}", MissingField(source))]
    Form {
        /// The frame's action.
        action: &'static str,
        /// An example of the expected form.
        expected: &'static str,
        /// The JSON parser's error.
        #[source]
        source: serde_json::Error,
    },
    /// A sequence is illegal.
    #[error(transparent)]
    Sequence(#[from] InvalidSequence),
    /// A user id or hub name is illegal.
    #[error(transparent)]
    Identifier(#[from] InvalidIdentifier),
    /// The `idempotencyKey` is illegal.
    #[error("the field \"idempotencyKey\" becomes the notification's id: {0}")]
    IdempotencyKey(#[source] InvalidIdentifier),
    /// The recipient of a `message` names both.
    #[error("the recipient names a user and a hub; send to each by itself")]
    UserAndHub,
    /// An `ack` has more than [`MAX_ACK_SEQUENCES`] sequences.
    #[error("the ack names {found} sequences; allowed are at most {MAX_ACK_SEQUENCES}")]
    TooManySequences {
        /// Number of sequences found.
        found: usize,
    },
    /// A `sendMessage` has no session, or more than [`MAX_SESSIONS`].
    #[error("the message names {found} sessions; allowed are 1 to {MAX_SESSIONS}")]
    Sessions {
        /// Number of sessions found.
        found: usize,
    },
    /// The text to send is empty.
    #[error("the message is empty; give a text")]
    EmptyMessage,
    /// The `limit` of a query is zero or too large.
    #[error("the limit is {found}; allowed are 1 to {most}")]
    Limit {
        /// The limit found.
        found: usize,
        /// The largest limit allowed.
        most: usize,
    },
}

/// Writes the names of all actions, for an error message.
struct ActionList;

impl fmt::Display for ActionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ACTIONS.join(", "))
    }
}

/// Names the missing field, at the end of an error message, if that is the parser's error.
struct MissingField<'a>(&'a serde_json::Error);

impl fmt::Display for MissingField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match named_field(self.0, "missing field") {
            Some(field) => write!(f, "; the field {field:?} is missing"),
            None => Ok(()),
        }
    }
}

/// Returns the field in an error that begins with `mistake`. It is one of the parser's struct, not the client's text.
pub(super) fn named_field(error: &serde_json::Error, mistake: &str) -> Option<String> {
    let text = error.to_string();
    let (field, _) = text.strip_prefix(mistake)?.strip_prefix(" `")?.split_once('`')?;
    Some(field.to_owned())
}
