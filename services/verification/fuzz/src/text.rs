//! Checks of error texts, and a reader of JSON objects.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Most bytes of an error with all its causes: two excerpts of untrusted text, escaped, and the explanation.
const MAX_ERROR_BYTES: usize = 2_048;

/// Checks that an error's text does not grow with the input.
pub(crate) fn require_bounded(text: &str) {
    assert!(text.len() <= MAX_ERROR_BYTES, "an error of {} bytes: {text}", text.len());
}

/// Checks that a secret is not in `text`. Secrets shorter than eight bytes pass, because they may be there by
/// chance.
pub(crate) fn require_hidden(text: &str, secret: &str) {
    assert!(secret.len() < 8 || !text.contains(secret), "{secret:?} is shown: {text}");
}

/// The members of a JSON object as they were written, read without the code under test.
pub(crate) fn json_members(text: &str) -> Option<HashMap<String, &RawValue>> {
    serde_json::from_str(text).ok()
}
