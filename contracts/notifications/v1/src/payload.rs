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
}
