//! Shortens untrusted text before it goes into an error message.

/// Longest text kept of a `serde_json` error, in bytes, without its position.
const MAX_JSON_ERROR_BYTES: usize = 256;

/// Returns the first 64 characters of a text.
pub(crate) fn truncated(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Shortens the message of an error that quotes its input, as `serde_json` does with a value of the wrong
/// type. The position stays.
pub(crate) fn truncated_error(error: serde_json::Error) -> serde_json::Error {
    let text = error.to_string();
    if text.len() <= MAX_JSON_ERROR_BYTES {
        return error;
    }
    let start = &text[..text.floor_char_boundary(MAX_JSON_ERROR_BYTES)];
    let (line, column) = (error.line(), error.column());
    serde::de::Error::custom(format_args!("{start}… at line {line} column {column}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortened_error_keeps_its_position() {
        let long = "\u{e9}".repeat(10_000);
        let error = serde_json::from_str::<u64>(&format!("\n  \"{long}\"")).unwrap_err();
        let (line, column) = (error.line(), error.column());
        let text = truncated_error(error).to_string();
        assert!(text.len() < 400 && text.starts_with("invalid type: string"), "{text}");
        assert!(text.contains(&format!("… at line {line} column {column}")), "{text}");
    }
}
