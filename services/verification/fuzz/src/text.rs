//! What may stand in the text of an error.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Most bytes that an error and all its causes may take in an answer or a log: two excerpts of untrusted text,
/// escaped, and what is said about them.
const MAX_ERROR_BYTES: usize = 2_048;

/// An error's text must not grow with what was sent.
///
/// # Panics
/// If it does.
pub fn require_bounded(text: &str) {
    assert!(text.len() <= MAX_ERROR_BYTES, "an error of {} bytes: {text}", text.len());
}

/// What must not be shown is not in `text`. Shorter than eight bytes, it may be there by chance.
///
/// # Panics
/// If it is there.
pub fn require_hidden(text: &str, secret: &str) {
    assert!(secret.len() < 8 || !text.contains(secret), "{secret:?} is shown: {text}");
}

/// The members of a JSON object as they were written, read by other code than what is tested.
pub fn json_members(text: &str) -> Option<HashMap<String, &RawValue>> {
    serde_json::from_str(text).ok()
}
