//! Finds one credential in several places of a handshake.

use super::refusal::Reason;

/// Returns the single value that all places have, or `None` if no place has one.
///
/// # Errors
/// [`Reason::Conflicting`] if two values differ, [`Reason::Oversized`] if one is longer than `most` bytes.
pub(crate) fn single_value<'a>(
    candidates: impl Iterator<Item = &'a str>,
    most: usize,
) -> Result<Option<&'a str>, Reason> {
    let mut found = None;
    for candidate in candidates {
        if candidate.len() > most {
            return Err(Reason::Oversized { bytes: candidate.len(), most });
        }
        if found.is_some_and(|other| other != candidate) {
            return Err(Reason::Conflicting);
        }
        found = Some(candidate);
    }
    Ok(found)
}
