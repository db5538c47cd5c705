//! The open method, `?client_id=` or `?session=`: the client's claim without proof. For development only.

use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{Timestamp, UserId, Version1};

use crate::core::handshake::Handshake;
use crate::core::refusal::Reason;
use crate::methods::Proven;

/// Returns the values of `client_id` in a handshake, or those of `session` if it has no `client_id`.
pub(crate) fn candidates(handshake: &Handshake) -> impl Iterator<Item = &str> {
    let has_client_id = handshake.query("client_id").next().is_some();
    handshake.query(if has_client_id { "client_id" } else { "session" })
}

/// Accepts any legal user id.
pub(crate) fn authorize(client_id: &str, now: Timestamp) -> Result<Proven, Reason> {
    let principal = Principal {
        version: Version1,
        user_id: UserId::new(client_id).map_err(Reason::ClientId)?,
        username: None,
        method: AuthenticationMethod::Open,
        hubs: Vec::new(),
        expires_at: None,
        source_key: None,
        source_token: None,
    };
    Ok(Proven { principal, issued_at: Some(now), token_id: None })
}
