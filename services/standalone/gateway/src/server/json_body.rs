//! The form of JSON bodies.

use super::problem::Problem;

/// Returns true if a body is no other JSON than an object. A parser of structs takes an array, too, with the members in
/// the order of the struct's.
pub(super) fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

/// Refuses a body that is no JSON object; `expected` shows the caller its form.
pub(super) fn require_object(body: &[u8], expected: &str) -> Result<(), Problem> {
    if is_object(body) {
        return Ok(());
    }
    Err(Problem::bad_request(format!("the body is not a JSON object; send {expected}")))
}
