//! Checks of error texts, and a reader of JSON objects.

use std::collections::HashMap;
use std::error::Error;

use serde_json::value::RawValue;

/// Most bytes of an error with all its causes: two excerpts of untrusted text, escaped, and the explanation.
const MAX_ERROR_BYTES: usize = 2_048;

/// The text of an error with all its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

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
