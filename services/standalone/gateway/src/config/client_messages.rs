//! The sections `[client_messages]` and `[hubs]`, and the words and rates in them and in `[connections]`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_notifications_v1::{HubName, UserId};
use serde::Deserialize;
use ws_edge::{EdgeConfig, Excess, RateLimit};

use super::ConfigError;
use super::bounds::{SECOND, optional_at_least};
use super::duration::{DurationSetting, InvalidDuration, OptionalDuration};
use crate::server::ClientMessagePolicy;

const MIB: u32 = 1024 * 1024;

/// The treatment of a connection beyond the user's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TooMany {
    /// The new connection is refused.
    RefuseNewest,
    /// The user's oldest connection is closed.
    CloseOldest,
}

impl From<TooMany> for Excess {
    fn from(too_many: TooMany) -> Self {
        match too_many {
            TooMany::RefuseNewest => Self::RefuseNewest,
            TooMany::CloseOldest => Self::CloseOldest,
        }
    }
}

/// The event from which on a client that does not acknowledge has a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// The client's pong to a ping behind it.
    Pong,
    /// The write to the socket.
    Written,
}

impl From<Confirm> for tidings_sockets::Confirm {
    fn from(confirm: Confirm) -> Self {
        match confirm {
            Confirm::Pong => Self::Pong,
            Confirm::Written => Self::Written,
        }
    }
}

/// The frames of a connection that asks for no format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultFormat {
    /// One notification in each frame.
    Single,
    /// Several notifications in one frame.
    Batch,
    /// The payload alone.
    Raw,
}

impl From<DefaultFormat> for FrameFormat {
    fn from(format: DefaultFormat) -> Self {
        match format {
            DefaultFormat::Single => Self::Single,
            DefaultFormat::Batch => Self::Batch,
            DefaultFormat::Raw => Self::Raw,
        }
    }
}

/// The section `[client_messages]`: messages between clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct ClientMessagesConfig {
    pub policy: ClientMessagePolicy,
    pub rate_per_connection: OptionalRate,
    pub rate_per_user: OptionalRate,
    pub raw_without_sender: bool,
    pub recipients_per_user: OptionalRate,
    pub hub_members_per_user: OptionalRate,
    pub bytes_per_user: OptionalRate,
    pub quota_per_user: OptionalRate,
    pub quota_per_mailbox: OptionalRate,
    pub lifetime: OptionalDuration,
}

impl Default for ClientMessagesConfig {
    fn default() -> Self {
        let rate = |most, per| OptionalRate(Some(RateLimit { most, per }));
        let (minute, day) = (Duration::from_mins(1), Duration::from_hours(24));
        Self {
            policy: ClientMessagePolicy::Off,
            rate_per_connection: OptionalRate(None),
            rate_per_user: OptionalRate(None),
            raw_without_sender: false,
            recipients_per_user: rate(6_000, minute),
            hub_members_per_user: rate(120_000, minute),
            bytes_per_user: rate(16 * MIB, minute),
            quota_per_user: rate(64 * MIB, day),
            quota_per_mailbox: rate(256 * MIB, day),
            lifetime: OptionalDuration(EdgeConfig::default().client_message_lifetime),
        }
    }
}

/// The section `[hubs]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct HubsConfig {
    pub everyone: String,
    pub presence: bool,
    pub arrivals_per_user: OptionalRate,
    pub members: Vec<Members>,
}

impl Default for HubsConfig {
    fn default() -> Self {
        let arrivals = RateLimit { most: 60, per: Duration::from_mins(1) };
        Self {
            everyone: String::new(),
            presence: false,
            arrivals_per_user: OptionalRate(Some(arrivals)),
            members: Vec::new(),
        }
    }
}

impl ClientMessagesConfig {
    /// Checks that one sender can't fill a mailbox alone, and keep others out of it.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        optional_at_least("client_messages.lifetime", self.lifetime, Duration::from_mins(1))?;
        let a_day =
            |rate: OptionalRate| rate.0.map(|RateLimit { most, per }| f64::from(most) / per.as_secs_f64());
        match (a_day(self.quota_per_user), a_day(self.quota_per_mailbox)) {
            (Some(of_user), Some(of_mailbox)) if of_user > of_mailbox / 2.0 => Err(ConfigError::invalid(
                "client_messages.quota_per_user",
                "one user could fill a mailbox; allowed is at most half of client_messages.quota_per_mailbox",
            )),
            _ => Ok(()),
        }
    }

    /// Returns the recipients to which clients may send.
    pub const fn policy(&self) -> ws_edge::ClientMessagePolicy {
        match self.policy {
            ClientMessagePolicy::Off => ws_edge::ClientMessagePolicy::Off,
            ClientMessagePolicy::SameHub => ws_edge::ClientMessagePolicy::SameHub,
            ClientMessagePolicy::Anyone => ws_edge::ClientMessagePolicy::Anyone,
        }
    }
}

impl HubsConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some(Members { hub, .. }) = self.members.iter().find(|members| members.hub.is_reserved()) {
            return Err(ConfigError::invalid("hubs.members", reserved(hub)));
        }
        if self.everyone.is_empty() {
            return Ok(());
        }
        match HubName::new(self.everyone.as_str()) {
            Ok(hub) if hub.is_reserved() => Err(ConfigError::invalid("hubs.everyone", reserved(&hub))),
            Ok(_) => Ok(()),
            Err(error) => Err(ConfigError::invalid("hubs.everyone", error.to_string())),
        }
    }

    /// Returns the hub that every connection joins, if there is one.
    pub fn everyone(&self) -> Option<HubName> {
        HubName::new(self.everyone.as_str()).ok()
    }

    /// Returns the permanent members.
    pub fn members(&self) -> impl Iterator<Item = (HubName, UserId)> {
        self.members
            .iter()
            .flat_map(|Members { hub, users }| users.iter().map(move |user| (hub.clone(), user.clone())))
    }
}

/// The problem of a hub with a reserved name.
fn reserved(hub: &HubName) -> String {
    format!(
        "{hub:?} is one of the gateway's own hubs; choose a name that does not begin with {:?}",
        HubName::RESERVED
    )
}

/// The permanent members of a hub, written `team: alice bob`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Members {
    hub: HubName,
    users: Vec<UserId>,
}

/// A text that is not a hub with its members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a list of members; write the hub, a colon and the users: \"team: alice bob\"")]
pub struct InvalidMembers {
    found: String,
}

impl TryFrom<String> for Members {
    type Error = InvalidMembers;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let invalid = || InvalidMembers { found: text.chars().take(64).collect() };
        let (hub, users) = text.split_once(": ").ok_or_else(invalid)?;
        let users = users.split_whitespace().map(UserId::new).collect::<Result<_, _>>();
        Ok(Self {
            hub: HubName::new(hub.trim()).map_err(|_| invalid())?,
            users: users.map_err(|_| invalid())?,
        })
    }
}

/// A maximum number of actions in a time, written `20/1s`, or `off`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OptionalRate(pub Option<RateLimit>);

/// Reasons for which a text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRate {
    /// The text does not have the form of a rate.
    #[error(
        "{0:?} is not a rate; write a number from 1 to 4294967295, a slash and a duration of at least 1s: 20/1s, 600/10m, or \
         off"
    )]
    Form(String),
    /// The duration is not valid.
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
}

impl FromStr for OptionalRate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        let invalid = || InvalidRate::Form(text.chars().take(64).collect());
        let (most, per) = text.split_once('/').ok_or_else(invalid)?;
        let most = most.trim().parse().ok().filter(|most| *most > 0).ok_or_else(invalid)?;
        let DurationSetting(per) = per.trim().parse()?;
        if per < SECOND { Err(invalid()) } else { Ok(Self(Some(RateLimit { most, per }))) }
    }
}

impl TryFrom<String> for OptionalRate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Debug for OptionalRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_a_number_and_a_duration() {
        let rate = |text: &str| text.parse::<OptionalRate>();
        let limit =
            |most, seconds| Ok(OptionalRate(Some(RateLimit { most, per: Duration::from_secs(seconds) })));
        assert_eq!(rate("20/1s"), limit(20, 1));
        assert_eq!(rate("600 / 10m"), limit(600, 600));
        assert_eq!(rate("off"), Ok(OptionalRate(None)));
        for wrong in ["", "20", "0/1s", "-1/1s", "20/0s", "20/500ms"] {
            assert!(rate(wrong).unwrap_err().to_string().contains("20/1s"), "{wrong}");
        }
        assert!(rate("20/soon").unwrap_err().to_string().contains("duration"));
    }

    #[test]
    fn one_user_cannot_fill_a_mailbox() {
        let config = |user: &str| {
            let quota_per_user = user.parse().unwrap();
            ClientMessagesConfig { quota_per_user, ..ClientMessagesConfig::default() }.validate()
        };
        assert!(config("off").is_ok() && config("134217728/1d").is_ok() && config("5592405/1h").is_ok());
        for too_much in ["134217729/1d", "5592406/1h", "2000/1s"] {
            assert!(config(too_much).unwrap_err().to_string().contains("quota_per_user"), "{too_much}");
        }
    }

    #[test]
    fn members_are_a_hub_and_its_users() {
        let members = Members::try_from("team: alice  bob".to_owned()).unwrap();
        assert_eq!((members.hub.as_str(), members.users.len()), ("team", 2));
        let carried = Members::try_from("team: zo\u{eb} u8:dHdvIHdvcmRz".to_owned()).unwrap();
        assert_eq!(carried.users[1].as_written(), "two words");
        for wrong in ["team", "", ": alice", "te am: alice", "team: u8:x"] {
            assert!(Members::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
