//! Members of hubs.

use std::fmt;
use std::str::FromStr;

use contract_notifications_v1::{HubName, InvalidIdentifier, UserId, Version1};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::connection::ConnectionId;

/// Separator between user and connection. It sorts before every character of a user id, so a user's rows
/// are adjacent and users are sorted by their ids.
const SEPARATOR: char = ' ';

/// A member of a hub: a user's connection, or a user whom an operator added, connected or not.
///
/// The text form is the user's id, a space, and the connection's id, if there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey {
    /// The user.
    pub user_id: UserId,
    /// The connection that joined; `None` for a user whom an operator added.
    pub connection_id: Option<ConnectionId>,
}

/// A row of the hubs' table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubMember {
    /// Contract version.
    pub version: Version1,
    /// The hub's name.
    pub hub: HubName,
    /// The member's key.
    pub member: MemberKey,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch; absent for a user whom an
    /// operator added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

/// Reasons for refusing the text of a member key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMember {
    /// The text has no separator.
    #[error("a member key is a user id, a space, and an optional connection id")]
    Form,
    /// The user id is illegal.
    #[error(transparent)]
    User(#[from] InvalidIdentifier),
}

impl MemberKey {
    /// Returns the prefix of the keys of all rows of `user`.
    pub fn prefix(user: &UserId) -> String {
        format!("{user}{SEPARATOR}")
    }

    /// Returns a text that sorts after the keys of all rows of `user` and before those of the next user.
    pub fn after(user: &UserId) -> String {
        format!("{user}{SEPARATOR}\u{10ffff}")
    }
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = self.connection_id.as_ref().map_or("", ConnectionId::as_str);
        write!(f, "{}{SEPARATOR}{connection}", self.user_id)
    }
}

impl FromStr for MemberKey {
    type Err = InvalidMember;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, connection) = text.split_once(SEPARATOR).ok_or(InvalidMember::Form)?;
        let connection_id = (!connection.is_empty()).then(|| ConnectionId::new(connection));
        Ok(Self { user_id: UserId::new(user)?, connection_id })
    }
}

impl Serialize for MemberKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemberKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for MemberKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MemberKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[!-~]{1,128} .*$" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(user: &str, connection: Option<&str>) -> MemberKey {
        MemberKey { user_id: UserId::new(user).unwrap(), connection_id: connection.map(ConnectionId::new) }
    }

    #[test]
    fn malformed_member_key_is_refused() {
        assert_eq!("alice".parse::<MemberKey>(), Err(InvalidMember::Form));
        assert!(matches!(" c".parse::<MemberKey>(), Err(InvalidMember::User(_))));
    }

    proptest! {
        #[test]
        fn key_text_round_trips_and_groups_rows_by_user(
            a in "[!-~]{3,5}", b in "[!-~]{3,5}", c in prop::option::of("[a-zA-Z0-9=_-]{1,4}"),
        ) {
            let (one, other) = (key(&a, c.as_deref()), key(&b, None));
            prop_assert_eq!(one.to_string().parse::<MemberKey>().unwrap(), one.clone());
            prop_assert!(one.to_string().starts_with(&MemberKey::prefix(&one.user_id)));
            prop_assert!(one.to_string() < MemberKey::after(&one.user_id));
            if a != b {
                prop_assert_eq!(one.to_string().cmp(&other.to_string()), a.cmp(&b));
                prop_assert_eq!(MemberKey::after(&one.user_id).cmp(&other.to_string()), a.cmp(&b));
            }
        }
    }
}
