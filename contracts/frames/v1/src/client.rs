//! Frames from the client.

use std::fmt;

use contract_notifications_v1::{InvalidSequence, Sequence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The actions a client may ask for.
pub const ACTIONS: [&str; 2] = ["ping", "ack"];

/// Most sequences one `ack` may name.
pub const MAX_ACK_SEQUENCES: usize = 1_000;

/// A frame from the client.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum ClientFrame {
    /// Asks for `pong`: a heartbeat for clients that can't send WebSocket pings.
    Ping,
    /// Says which notifications arrived, so that they are not held any longer.
    Ack {
        /// Their sequences, in any order, at most [`MAX_ACK_SEQUENCES`].
        #[schemars(length(max = "MAX_ACK_SEQUENCES"))]
        sequences: Vec<Sequence>,
    },
}

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
    /// More sequences than [`MAX_ACK_SEQUENCES`].
    #[error("the ack names {found} sequences; allowed are at most {MAX_ACK_SEQUENCES}")]
    TooManySequences {
        /// How many it names.
        found: usize,
    },
}

/// The known actions, for an error message.
struct ActionList;

impl fmt::Display for ActionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ACTIONS.join(", "))
    }
}

impl ClientFrame {
    /// The frame's text.
    pub fn to_json(&self) -> String {
        // Strings only: nothing here can fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a client's frame. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`InvalidFrame`] naming what is wrong and what is allowed.
    pub fn from_json(text: &str) -> Result<Self, InvalidFrame> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            action: String,
        }
        #[derive(Deserialize)]
        struct Ack {
            sequences: Vec<String>,
        }
        // A derived struct would be read from an array of its fields too.
        if text.trim_start().starts_with('[') {
            return Err(InvalidFrame::Json(serde::de::Error::custom("an array, not an object")));
        }
        let head: Head = serde_json::from_str(text).map_err(InvalidFrame::Json)?;
        match head.action.as_str() {
            "ping" => Ok(Self::Ping),
            "ack" => {
                let ack: Ack = serde_json::from_str(text).map_err(|source| InvalidFrame::Form {
                    action: "ack",
                    expected: r#"{"action":"ack","sequences":["…"]}"#,
                    source,
                })?;
                if ack.sequences.len() > MAX_ACK_SEQUENCES {
                    return Err(InvalidFrame::TooManySequences { found: ack.sequences.len() });
                }
                let sequences = ack.sequences.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
                Ok(Self::Ack { sequences })
            }
            other => Err(InvalidFrame::UnknownAction { found: other.chars().take(64).collect() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_no_frame() {
        for text in ["[]", r#"["ping"]"#, r#" ["ack", ["1"]]"#] {
            assert!(matches!(ClientFrame::from_json(text), Err(InvalidFrame::Json(_))), "{text}");
        }
    }
}
