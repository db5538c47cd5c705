//! Partitions of a hub's rows on DynamoDB.
//!
//! DynamoDB serves 1,000 write units and 3,000 read units a second from one partition
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>), so the rows of a
//! hub that everybody is in must not share one. The rows of connections are spread over [`HUB_SHARDS`] partitions by a
//! hash of the user
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html>); all rows of a
//! user are in the same one. A partition of the hub's own has the users whom an operator added. The rows of
//! connections were there too before hubs had shards.

use std::fmt;
use std::str::FromStr;

use contract_notifications_v1::{HubName, InvalidIdentifier, UserId, Version1};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hub::{HubMember, MemberKey};

/// Number of shards of a hub. Rows that were written with another number would not be found.
pub const HUB_SHARDS: u8 = 8;

/// Separator between hub and shard, which no hub's name contains.
const SEPARATOR: char = ' ';

/// A partition of a hub's rows.
///
/// The text form is the hub's name alone, or the name, a space, and the number of the shard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubPartition {
    /// The hub.
    pub hub: HubName,
    /// The shard, less than [`HUB_SHARDS`]; `None` for the hub's own partition.
    pub shard: Option<u8>,
}

/// A row of the hubs' table on DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubRow {
    /// Contract version.
    pub version: Version1,
    /// The partition.
    #[serde(rename = "hub")]
    pub partition: HubPartition,
    /// The member's key.
    pub member: MemberKey,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch; absent for a user whom an
    /// operator added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

/// Reasons for refusing the text of a partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPartition {
    /// The number of the shard is none.
    #[error("a partition is a hub's name, or the name, a space and a number from 0 to {}", HUB_SHARDS - 1)]
    Shard,
    /// The hub's name is illegal.
    #[error(transparent)]
    Hub(#[from] InvalidIdentifier),
}

impl HubPartition {
    /// Returns the hub's own partition.
    pub fn own(hub: &HubName) -> Self {
        Self { hub: hub.clone(), shard: None }
    }

    /// Returns the partition with the rows of a user's connections.
    pub fn of_user(hub: &HubName, user: &UserId) -> Self {
        Self { hub: hub.clone(), shard: Some(shard_of(user)) }
    }

    /// Returns the partition of a member's row.
    pub fn of(member: &HubMember) -> Self {
        match member.member.connection_id {
            Some(_) => Self::of_user(&member.hub, &member.member.user_id),
            None => Self::own(&member.hub),
        }
    }

    /// Returns all partitions of a hub.
    pub fn all(hub: &HubName) -> impl Iterator<Item = Self> + use<> {
        let hub = hub.clone();
        let shards = (0..HUB_SHARDS).map(Some);
        std::iter::once(None).chain(shards).map(move |shard| Self { hub: hub.clone(), shard })
    }
}

/// Returns the shard of a user: the upper half of the 32-bit FNV-1a hash of its id, modulo the number of shards
/// (<https://www.rfc-editor.org/rfc/rfc9923>).
fn shard_of(user: &UserId) -> u8 {
    let hash = user
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    u8::try_from((hash >> 16) % u32::from(HUB_SHARDS)).unwrap_or(0)
}

impl From<&HubMember> for HubRow {
    fn from(member: &HubMember) -> Self {
        let HubMember { version, member: key, ttl, .. } = member;
        Self { version: *version, partition: HubPartition::of(member), member: key.clone(), ttl: *ttl }
    }
}

impl fmt::Display for HubPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shard {
            None => write!(f, "{}", self.hub),
            Some(shard) => write!(f, "{}{SEPARATOR}{shard}", self.hub),
        }
    }
}

impl FromStr for HubPartition {
    type Err = InvalidPartition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((hub, shard)) = text.split_once(SEPARATOR) else {
            return Ok(Self { hub: HubName::new(text)?, shard: None });
        };
        let shard =
            (0..HUB_SHARDS).find(|number| number.to_string() == shard).ok_or(InvalidPartition::Shard)?;
        Ok(Self { hub: HubName::new(hub)?, shard: Some(shard) })
    }
}

impl Serialize for HubPartition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HubPartition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for HubPartition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HubPartition".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[!-~]{1,124}( [0-7])?$" })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn hub(name: &str) -> HubName {
        HubName::new(name).unwrap()
    }

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    #[test]
    fn partitions_round_trip_and_are_of_their_hub_alone() {
        let all: BTreeSet<_> = ["team", "team/1", "1"].map(hub).iter().flat_map(HubPartition::all).collect();
        assert_eq!(all.len(), 3 * (usize::from(HUB_SHARDS) + 1));
        let texts: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), all.len());
        for partition in all {
            assert_eq!(partition.to_string().parse(), Ok(partition));
        }
        for text in ["team 8", "team 07", "team ", "team -1", "team 1 1"] {
            assert_eq!(text.parse::<HubPartition>(), Err(InvalidPartition::Shard), "{text}");
        }
        assert!(matches!(" 1".parse::<HubPartition>(), Err(InvalidPartition::Hub(_))));
    }

    /// Rows of before would not be found if a user's shard were another one.
    #[test]
    fn shard_of_a_user_is_fixed() {
        let shards = ["alice", "bob", "carol", "u8:w6k", "0"].map(|name| shard_of(&user(name)));
        assert_eq!(shards, [2, 6, 0, 6, 4]);
    }

    #[test]
    fn users_are_spread_evenly() {
        type Ids = fn(u32) -> String;
        let kinds: [Ids; 3] = [
            |n| n.to_string(),
            |n| format!("user-{n:06}@example.com"),
            |n| format!("{:08x}-0000-7000-8000-000000000000", n.wrapping_mul(2_654_435_761)),
        ];
        for id in kinds {
            let mut members = [0; HUB_SHARDS as usize];
            (0..8_000).for_each(|n| members[usize::from(shard_of(&user(&id(n))))] += 1);
            assert!(members.iter().all(|members| (850..1_150).contains(members)), "{}: {members:?}", id(1));
        }
    }
}
