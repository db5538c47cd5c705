//! The hubs of a connection.

use contract_connections_v1::{ConnectionId, HubMember, MemberKey};
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{HubName, Timestamp, Version1};

use crate::config::EdgeConfig;

/// Returns the hubs of a principal: the hub of everyone, then the hubs that the credential names. Illegal
/// names are logged and skipped, because the mistake is the issuer's and not the client's.
///
/// Only a connect token can name one of the gateway's reserved hubs. Such a connection, an operator's, joins
/// no other hub, so that users don't see operators come and go.
pub(crate) fn hubs_of(principal: &Principal, config: &EdgeConfig) -> Vec<HubName> {
    let mut hubs: Vec<_> = config.everyone.iter().cloned().collect();
    for name in &principal.hubs {
        match HubName::new(name.as_str()) {
            Ok(hub) if hub.is_reserved() && principal.method != AuthenticationMethod::Token => {
                tracing::warn!(%hub, "a credential names a hub that only connect tokens may name");
            }
            Ok(hub) if !hubs.contains(&hub) => hubs.push(hub),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a credential names an illegal hub"),
        }
    }
    if hubs.iter().any(HubName::is_reserved) {
        hubs.retain(HubName::is_reserved);
    }
    hubs
}

/// Returns the rows that make a connection a member of `hubs`.
pub(crate) fn membership_rows(
    hubs: Vec<HubName>,
    principal: &Principal,
    connection_id: &ConnectionId,
    now: Timestamp,
    config: &EdgeConfig,
) -> Vec<HubMember> {
    let member = MemberKey { user_id: principal.user_id.clone(), connection_id: Some(connection_id.clone()) };
    let ttl = Some(now.plus(config.row_lifetime).ttl_seconds());
    hubs.into_iter().map(|hub| HubMember { version: Version1, hub, member: member.clone(), ttl }).collect()
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::UserId;

    use super::*;

    #[test]
    fn everyones_hub_comes_first_without_duplicates() {
        let config = EdgeConfig { everyone: Some(HubName::new("all").unwrap()), ..EdgeConfig::default() };
        let principal = Principal {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            username: None,
            method: AuthenticationMethod::Jwt,
            hubs: ["team", "all", "two words", "team", "ops"].map(str::to_owned).to_vec(),
            expires_at: None,
            source_key: None,
            source_token: None,
        };
        let hubs = hubs_of(&principal, &config);
        assert_eq!(hubs.iter().map(HubName::as_str).collect::<Vec<_>>(), ["all", "team", "ops"]);
        assert!(hubs_of(&Principal { hubs: Vec::new(), ..principal }, &EdgeConfig::default()).is_empty());
    }

    #[test]
    fn reserved_hubs_need_a_connect_token() {
        let config = EdgeConfig { everyone: Some(HubName::new("all").unwrap()), ..EdgeConfig::default() };
        let hubs = |method| {
            let principal = Principal {
                version: Version1,
                user_id: UserId::new("jo").unwrap(),
                username: None,
                method,
                hubs: ["team", "tidings:operations"].map(str::to_owned).to_vec(),
                expires_at: None,
                source_key: None,
                source_token: None,
            };
            hubs_of(&principal, &config).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(hubs(AuthenticationMethod::Token), ["tidings:operations"]);
        for method in [AuthenticationMethod::Jwt, AuthenticationMethod::Hmac, AuthenticationMethod::Open] {
            assert_eq!(hubs(method), ["all", "team"]);
        }
    }
}
