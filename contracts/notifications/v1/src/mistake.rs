//! Finds the mistake in a body that the parser refused, in words its author can act on.
//!
//! Only refused bodies come here, so this costs accepted ones nothing. It keeps nothing of the body, which may be
//! large, but the first mistake.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use serde_json::value::RawValue;

use crate::error::InvalidNotification;
use crate::notification::WhenOffline;
use crate::timestamp::Timestamp;
use crate::truncate::truncated;

/// The `type` that a request may have.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RequestType {
    Notification,
}

/// The fields that a body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnownFields {
    /// Those of a producer's request; others are refused.
    Request,
    /// Those of any queue entry; others are ignored.
    Entry,
}

/// A field and its allowed values.
struct Field {
    name: &'static str,
    expected: &'static str,
    /// Returns true if the JSON value is of the field's type. `null` stands for an absent field.
    accepts: fn(&str) -> bool,
}

const MILLIS: &str = "a whole number, in milliseconds since 1970";
const LABEL: &str = "a text of at most 256 bytes";
const USER_ID: &str = "a user id";

/// The fields of a request, in the order in which an error lists them.
static REQUEST: [Field; 11] = [
    field("userId", "a text, such as \"alice\"", is::<String>),
    field("payload", "any JSON value", |_| true),
    field("message", "any JSON value", |_| true),
    field("id", "a text of 1 to 128 characters", is::<String>),
    field("sentAt", MILLIS, is::<Timestamp>),
    field("expiresAt", MILLIS, is::<Timestamp>),
    field("whenOffline", "\"hold\" or \"drop\"", is::<WhenOffline>),
    field("kind", LABEL, is::<String>),
    field("source", LABEL, is::<String>),
    field("version", "the number 1", is::<u32>),
    field("type", "\"notification\"", is::<RequestType>),
];

/// The fields that an entry has besides, or with other values.
static ENTRY: [Field; 5] = [
    field("type", "\"notification\", \"replay\" or \"fan-out\"", is::<String>),
    field("sequence", "a text of digits", is::<String>),
    field("hub", "a text of 1 to 124 characters", is::<String>),
    field("after", USER_ID, is::<String>),
    field("except", USER_ID, is::<String>),
];

const fn field(name: &'static str, expected: &'static str, accepts: fn(&str) -> bool) -> Field {
    Field { name, expected, accepts }
}

fn is<T: DeserializeOwned>(json: &str) -> bool {
    serde_json::from_str::<Option<T>>(json).is_ok()
}

impl KnownFields {
    fn find(self, name: &str) -> Option<&'static Field> {
        let of_entry = match self {
            Self::Request => None,
            Self::Entry => ENTRY.iter().find(|field| field.name == name),
        };
        of_entry.or_else(|| REQUEST.iter().find(|field| field.name == name))
    }
}

/// Returns the first mistake in an object, or the reason for which the body is none; `None` if the fields are right.
pub(crate) fn mistake(body: &str, known: KnownFields) -> Option<InvalidNotification> {
    if !body.trim_ascii_start().starts_with('{') {
        return Some(not_an_object(body));
    }
    let mut parser = serde_json::Deserializer::from_str(body);
    let found = parser.deserialize_map(FirstMistake(known));
    match found.and_then(|found| parser.end().map(|()| found)) {
        Ok(found) => found,
        Err(error) => Some(error.into()),
    }
}

/// Returns the error about a body that is not an object.
pub(crate) fn not_an_object(body: &str) -> InvalidNotification {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(body) {
        return error.into();
    }
    let found = match body.trim_ascii_start().as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    };
    InvalidNotification::NotAnObject { found }
}

/// Reads an object to its end and returns the first mistake.
struct FirstMistake(KnownFields);

impl<'de> Visitor<'de> for FirstMistake {
    type Value = Option<InvalidNotification>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut seen = Vec::new();
        while let Some(key) = object.next_key::<String>()? {
            let json: &RawValue = object.next_value()?;
            let mistake = match self.0.find(&key) {
                None if self.0 == KnownFields::Entry => continue,
                None => unknown(&key),
                Some(Field { name, .. }) if seen.contains(name) => {
                    InvalidNotification::Repeated { field: name }
                }
                Some(Field { name, expected, accepts }) => {
                    seen.push(*name);
                    if accepts(json.get()) {
                        continue;
                    }
                    InvalidNotification::Value { field: name, found: shown(json.get()), expected }
                }
            };
            // A mistake in the text itself goes first.
            while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Some(mistake));
        }
        Ok(None)
    }
}

fn unknown(found: &str) -> InvalidNotification {
    let letters = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let names: Vec<_> = REQUEST.iter().map(|field| field.name).collect();
    let suggestion = names.iter().find(|known| letters(known) == letters(found));
    InvalidNotification::UnknownField {
        found: truncated(found),
        hint: suggestion.map_or_else(
            || format!("known are {}", names.join(", ")),
            |known| format!("did you mean {known:?}?"),
        ),
    }
}

/// Returns a value as an error shows it: as JSON, cut to 64 characters; of arrays and objects only the kind.
fn shown(json: &str) -> String {
    match json.as_bytes().first() {
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "an array".to_owned(),
        _ => {
            let start = truncated(json);
            if start.len() < json.len() { start + "…" } else { start }
        }
    }
}
