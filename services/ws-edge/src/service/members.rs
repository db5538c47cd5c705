//! Lists the connected members of a hub.

use contract_frames_v1::{ErrorCode, ServerFrame};
use contract_notifications_v1::Timestamp;
use futures_util::future::try_join_all;
use shared_ports::PortError;
use shared_telemetry::chain;

use super::edge::Edge;
use super::refusal::Refusal;
use crate::core::caller::Caller;
use crate::core::members::{MembersRefusal, MembersRequest};
use crate::ports::{Connections as _, HubPage, Hubs as _, Member, Ports};

impl<P: Ports> Edge<P> {
    /// Returns a page of the hub's connected members. It may have fewer members than asked for, or none, even
    /// if more follow.
    pub(super) async fn connected_members(
        &self,
        caller: &Caller<'_>,
        request: MembersRequest,
    ) -> Result<ServerFrame, Refusal> {
        let MembersRequest { hub, after, limit, joined } = request;
        let user = &caller.principal.user_id;
        if !joined && !self.hubs.has(&hub, user).await.map_err(unavailable)? {
            let message = MembersRefusal::OtherHub(hub).to_string();
            return Err(Refusal::new(ErrorCode::Forbidden, message));
        }
        let page = self.hubs.members(&hub, after.as_ref(), limit, caller.now).await.map_err(unavailable)?;
        let HubPage { members, more } = page;
        let next = members.last().filter(|_| more).map(|last| last.user_id.clone());
        let connected = try_join_all(members.iter().map(|member| self.is_connected(member, caller.now)));
        let connected = connected.await.map_err(unavailable)?;
        let connected = members.into_iter().zip(connected).filter(|(_, is_connected)| *is_connected);
        let users = connected.map(|(member, _)| member.user_id).collect();
        Ok(ServerFrame::Members { hub, users, next })
    }

    /// Returns true if a member has an open connection. A member by configuration may have connections that
    /// did not join the hub, so their rows are looked up.
    async fn is_connected(&self, member: &Member, now: Timestamp) -> Result<bool, PortError> {
        if member.joined {
            return Ok(true);
        }
        let rows = self.connections.list(&member.user_id).await?;
        // DynamoDB deletes expired rows late.
        Ok(rows.iter().any(|row| row.ttl > now.millis() / 1000))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn unavailable(error: PortError) -> Refusal {
    tracing::warn!(error = chain(&error), "a hub's members can't be read");
    let message = "the hub's members can't be read at the moment; try again".to_owned();
    Refusal::new(ErrorCode::Internal, message)
}
