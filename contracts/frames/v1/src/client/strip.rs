//! Removes members from a JSON object.

use std::fmt;

use contract_notifications_v1::Payload;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The members of a JSON object in their order, values byte for byte. Members with the same name are all
/// kept.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
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

        deserializer.deserialize_map(MembersVisitor)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Returns the JSON object `text` without the members `names`. The other values keep their bytes.
pub(super) fn without_members(text: &str, names: &[&str]) -> Result<Payload, serde_json::Error> {
    let mut members: Members<'_> = serde_json::from_str(text)?;
    members.0.retain(|(member, _)| !names.contains(&member.as_str()));
    Payload::from_value(&members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_members_keep_their_bytes() {
        let text = r#"{"a": 1.50e0 , "x":[1, 2],"b":{"x":1},"a":"A"}"#;
        assert_eq!(without_members(text, &["x"]).unwrap().get(), r#"{"a":1.50e0,"b":{"x":1},"a":"A"}"#);
        assert_eq!(without_members(r#"{"y":2,"x":1}"#, &["x", "y"]).unwrap().get(), "{}");
        assert!(without_members("[1]", &["x"]).is_err());
    }
}
