//! An object without one of its members.

use std::fmt;

use contract_notifications_v1::Payload;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The members of a JSON object, as they stand and in their order. Of several with one name all are kept.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The JSON object `text` without the member `name`; the values of the others byte for byte.
pub(super) fn without(text: &str, name: &str) -> Result<Payload, serde_json::Error> {
    let mut members: Members<'_> = serde_json::from_str(text)?;
    members.0.retain(|(member, _)| member != name);
    Payload::from_value(&members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_members_stay_as_they_are() {
        let text = r#"{"a": 1.50e0 , "x":[1, 2],"b":{"x":1},"a":"A"}"#;
        assert_eq!(without(text, "x").unwrap().get(), r#"{"a":1.50e0,"b":{"x":1},"a":"A"}"#);
        assert_eq!(without(r#"{"x":1}"#, "x").unwrap().get(), "{}");
        assert!(without("[1]", "x").is_err());
    }
}
