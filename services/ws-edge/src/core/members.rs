//! Who asks who is in a hub, and may know.

use contract_frames_v1::{MAX_MEMBERS, MembersQuery};
use contract_notifications_v1::{HubName, UserId};

use super::frame::Caller;
use crate::{EdgeConfig, SendPolicy};

/// What is to be read of a hub's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembersOrder {
    /// Which hub.
    pub hub: HubName,
    /// Only users after this one.
    pub after: Option<UserId>,
    /// At most this many users, at least 1.
    pub limit: usize,
    /// Whether the connection that asks is in the hub. If not, its user must be a member by the operator's
    /// decision.
    pub joined: bool,
}

/// Why a client is not told. The text is for the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTold {
    /// Clients of this gateway are nothing to each other.
    #[error("clients of this gateway are not told of each other")]
    Off,
    /// There is no hub of everyone.
    #[error("this gateway has no hub that everyone is in; name a hub")]
    NoEveryone,
    /// Whoever asks is not in the hub.
    #[error("you are not in the hub {0:?}, and are told of your own hubs alone")]
    OtherHub(HubName),
}

/// Decides a `members`. Where clients neither send to each other nor are told who comes and goes, they are not
/// told who is there either: a hub may be for its producers alone.
pub(crate) fn members(
    query: MembersQuery,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<MembersOrder, NotTold> {
    if config.sending == SendPolicy::Off && !config.presence {
        return Err(NotTold::Off);
    }
    let MembersQuery { hub, after, limit } = query;
    let hub = hub.or_else(|| config.everyone.clone()).ok_or(NotTold::NoEveryone)?;
    let joined = caller.hubs.contains(&hub);
    Ok(MembersOrder { hub, after, limit: limit.unwrap_or(MAX_MEMBERS), joined })
}

#[cfg(test)]
mod tests {
    use contract_connections_v1::ConnectionId;
    use contract_identity_v1::{Method, Principal};
    use contract_notifications_v1::{Timestamp, Version1};

    use super::*;

    fn hub(name: &str) -> HubName {
        HubName::new(name).unwrap()
    }

    fn decide(query: MembersQuery, config: &EdgeConfig) -> Result<MembersOrder, String> {
        let principal = Principal {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            username: None,
            method: Method::Jwt,
            hubs: Vec::new(),
            expires_at: None,
        };
        let (connection_id, hubs) = (&ConnectionId::new("c"), &[hub("all"), hub("team")]);
        let caller = Caller { principal: &principal, connection_id, hubs, now: Timestamp::default() };
        members(query, &caller, config).map_err(|error| error.to_string())
    }

    #[test]
    fn the_hub_of_everyone_is_meant_when_none_is_named() {
        let config = EdgeConfig { presence: true, everyone: Some(hub("all")), ..EdgeConfig::default() };
        let order = MembersOrder { hub: hub("all"), after: None, limit: 100, joined: true };
        assert_eq!(decide(MembersQuery::default(), &config), Ok(order.clone()));
        let after = UserId::new("al").ok();
        let named = MembersQuery { hub: Some(hub("ops")), after: after.clone(), limit: Some(7) };
        assert_eq!(
            decide(named, &config),
            Ok(MembersOrder { hub: hub("ops"), after, limit: 7, joined: false })
        );
        let nowhere = EdgeConfig { everyone: None, ..config };
        assert!(decide(MembersQuery::default(), &nowhere).unwrap_err().contains("name a hub"));
    }

    #[test]
    fn clients_that_are_nothing_to_each_other_are_not_told() {
        let of = |sending, presence| EdgeConfig {
            sending,
            presence,
            everyone: Some(hub("all")),
            ..EdgeConfig::default()
        };
        let refused = decide(MembersQuery::default(), &of(SendPolicy::Off, false)).unwrap_err();
        assert!(refused.contains("not told of each other"), "{refused}");
        for (sending, presence) in
            [(SendPolicy::Off, true), (SendPolicy::SameHub, false), (SendPolicy::Anyone, false)]
        {
            assert!(decide(MembersQuery::default(), &of(sending, presence)).is_ok());
        }
    }
}
