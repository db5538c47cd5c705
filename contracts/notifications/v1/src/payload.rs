//! A notification's payload: any JSON value, kept byte for byte as the producer wrote it.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Any JSON value as text. Clones share the text. Payloads with the same bytes are equal.
#[derive(Clone)]
pub struct Payload(Arc<RawValue>);

impl Payload {
    /// Checks that `json` is exactly one JSON value and keeps its text without surrounding white space.
    ///
    /// # Errors
    /// The JSON parser's error.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        Ok(serde_json::from_str::<&RawValue>(json)?.into())
    }

    /// Serializes a value as a payload.
    ///
    /// # Errors
    /// The error of the value's `Serialize` implementation.
    pub fn from_value(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::value::to_raw_value(value)?.into()))
    }

    /// Returns the JSON text.
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

/// Number of levels of arrays and objects in a payload that gateways allow unless they are configured otherwise. Parsers
/// of clients allow at least as many.
pub const MAX_PAYLOAD_DEPTH: usize = 128;

/// Returns true if arrays and objects are nested more than `levels` deep in a JSON text.
pub fn is_nested_deeper(json: &str, levels: usize) -> bool {
    let opens = |byte: u8| matches!(byte, b'[' | b'{');
    let bytes = json.as_bytes();
    // Most texts are too short, or have too few brackets, for that many levels.
    if bytes.len() / 2 <= levels || bytes.iter().filter(|byte| opens(**byte)).count() <= levels {
        return false;
    }
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for byte in bytes.iter().copied() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ if opens(byte) => {
                depth += 1;
                if depth > levels {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

impl From<&RawValue> for Payload {
    fn from(raw: &RawValue) -> Self {
        Self(raw.to_owned().into())
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Payload {}

impl Hash for Payload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl fmt::Debug for Payload {
    /// Shows only the size: payloads never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.get().len())
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer)?.into()))
    }
}

impl JsonSchema for Payload {
    fn schema_name() -> Cow<'static, str> {
        "Payload".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Any JSON value, delivered byte for byte as it was sent." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_and_debug_hides_them() {
        let text = r#"{"b": 1.0e0,  "a":"\u00e9" , "a":2}"#;
        let payload = Payload::from_json(text).unwrap();
        assert_eq!(payload.get(), text);
        assert_eq!(serde_json::to_string(&payload).unwrap(), text);
        assert_eq!(format!("{payload:?}"), format!("Payload({} bytes)", text.len()));
    }

    #[test]
    fn more_than_one_value_is_refused() {
        assert!(Payload::from_json("1 2").is_err());
        assert!(Payload::from_json("").is_err());
    }

    #[test]
    fn levels_are_counted_outside_of_strings() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        for levels in [1, 2, 127, 128, 129, 20_000] {
            assert!(!is_nested_deeper(&nested(levels), levels), "{levels}");
            assert!(is_nested_deeper(&nested(levels), levels - 1), "{levels}");
        }
        let objects = format!("{}1{}", r#"{"a":"#.repeat(129), "}".repeat(129));
        assert!(is_nested_deeper(&objects, 128) && !is_nested_deeper(&objects, 129));
        let side_by_side = format!("[{}[]]", "[],".repeat(1_000));
        assert!(!is_nested_deeper(&side_by_side, 2) && is_nested_deeper(&side_by_side, 1));
        let text = format!(r#"["\"{}", "{}\\"]"#, "[".repeat(500), "{".repeat(500));
        assert!(!is_nested_deeper(&text, 1) && is_nested_deeper(&text, 0));
    }
}
