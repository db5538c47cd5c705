//! Decides if a client may list the members of a hub.

use contract_frames_v1::{MAX_MEMBERS, MembersQuery};
use contract_notifications_v1::{HubName, UserId};

use super::caller::Caller;
use crate::config::{ClientMessagePolicy, EdgeConfig};

/// A page of a hub's members to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembersRequest {
    /// The hub.
    pub hub: HubName,
    /// The page begins after this user.
    pub after: Option<UserId>,
    /// Most users on the page; at least 1.
    pub limit: usize,
    /// True if the caller's connection is in the hub. Otherwise the caller's user must be a member by the
    /// operator's configuration.
    pub joined: bool,
}

/// Reasons for refusing to list members. The text is for the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MembersRefusal {
    /// Client messages and presence are both off.
    #[error("clients of this gateway can't see each other")]
    Off,
    /// The request names no hub, and there is no hub of everyone.
    #[error("this gateway has no hub of everyone; name a hub")]
    NoEveryone,
    /// The client is not in the hub.
    #[error("you are not in the hub {0:?}; you can list the members of your own hubs only")]
    OtherHub(HubName),
}

/// Decides a `members` frame. It is refused if client messages and presence are both off: then hubs serve
/// producers, and clients have no reason to know each other.
pub(crate) fn decide(
    query: MembersQuery,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<MembersRequest, MembersRefusal> {
    if config.client_messages == ClientMessagePolicy::Off && !config.presence {
        return Err(MembersRefusal::Off);
    }
    let MembersQuery { hub, after, limit } = query;
    let hub = hub.or_else(|| config.everyone.clone()).ok_or(MembersRefusal::NoEveryone)?;
    let joined = caller.hubs.contains(&hub);
    Ok(MembersRequest { hub, after, limit: limit.unwrap_or(MAX_MEMBERS), joined })
}

#[cfg(test)]
mod tests {
    use contract_connections_v1::ConnectionId;
    use contract_identity_v1::{AuthenticationMethod, Principal};
    use contract_notifications_v1::{Timestamp, Version1};

    use super::*;

    fn hub(name: &str) -> HubName {
        HubName::new(name).unwrap()
    }

    fn decided(query: MembersQuery, config: &EdgeConfig) -> Result<MembersRequest, String> {
        let principal = Principal {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            username: None,
            method: AuthenticationMethod::Jwt,
            hubs: Vec::new(),
            expires_at: None,
            source_key: None,
            source_token: None,
        };
        let (connection_id, hubs) = (&ConnectionId::new("c"), &[hub("all"), hub("team")]);
        let caller = Caller { principal: &principal, connection_id, hubs, now: Timestamp::default() };
        decide(query, &caller, config).map_err(|error| error.to_string())
    }

    #[test]
    fn unnamed_hub_is_the_hub_of_everyone() {
        let config = EdgeConfig { presence: true, everyone: Some(hub("all")), ..EdgeConfig::default() };
        let request = MembersRequest { hub: hub("all"), after: None, limit: 100, joined: true };
        assert_eq!(decided(MembersQuery::default(), &config), Ok(request));
        let after = UserId::new("al").ok();
        let named = MembersQuery { hub: Some(hub("ops")), after: after.clone(), limit: Some(7) };
        assert_eq!(
            decided(named, &config),
            Ok(MembersRequest { hub: hub("ops"), after, limit: 7, joined: false })
        );
        let nowhere = EdgeConfig { everyone: None, ..config };
        assert!(decided(MembersQuery::default(), &nowhere).unwrap_err().contains("name a hub"));
    }

    #[test]
    fn members_need_client_messages_or_presence() {
        let of = |client_messages, presence| EdgeConfig {
            client_messages,
            presence,
            everyone: Some(hub("all")),
            ..EdgeConfig::default()
        };
        let refused = decided(MembersQuery::default(), &of(ClientMessagePolicy::Off, false)).unwrap_err();
        assert!(refused.contains("can't see each other"), "{refused}");
        for (client_messages, presence) in [
            (ClientMessagePolicy::Off, true),
            (ClientMessagePolicy::SameHub, false),
            (ClientMessagePolicy::Anyone, false),
        ] {
            assert!(decided(MembersQuery::default(), &of(client_messages, presence)).is_ok());
        }
    }
}
