//! Who is in a hub, and connected.

use contract_frames_v1::{ErrorCode, ServerFrame};
use contract_notifications_v1::Timestamp;
use futures_util::future::try_join_all;
use shared_ports::PortError;
use shared_telemetry::chain;

use super::Edge;
use super::frames::Refusal;
use crate::core::frame::Caller;
use crate::core::members::{MembersOrder, NotTold};
use crate::ports::{Connections, HubPage, Hubs, Member};

impl<C: Connections, M, K, H: Hubs, O, L, Y> Edge<C, M, K, H, O, L, Y> {
    /// The answer to a client that asks who is in a hub.
    pub(super) async fn who_is_there(
        &self,
        caller: &Caller<'_>,
        order: MembersOrder,
    ) -> Result<ServerFrame, Refusal> {
        let MembersOrder { hub, after, limit, joined } = order;
        let user = &caller.principal.user_id;
        if !joined && !self.hubs.has(&hub, user).await.map_err(unavailable)? {
            let message = NotTold::OtherHub(hub).to_string();
            return Err(Refusal { code: ErrorCode::Forbidden, message });
        }
        let page = self.hubs.members(&hub, after.as_ref(), limit, caller.now).await.map_err(unavailable)?;
        let HubPage { members, more } = page;
        let next = members.last().filter(|_| more).map(|last| last.user_id.clone());
        let there = try_join_all(members.iter().map(|member| self.is_there(member, caller.now)));
        let there = there.await.map_err(unavailable)?;
        let there = members.into_iter().zip(there).filter(|(_, there)| *there);
        let users = there.map(|(member, _)| member.user_id).collect();
        Ok(ServerFrame::Members { hub, users, next })
    }

    /// Whether a member has a connection. One by decision alone may have one that has not joined the hub.
    async fn is_there(&self, member: &Member, now: Timestamp) -> Result<bool, PortError> {
        if member.joined {
            return Ok(true);
        }
        let rows = self.connections.list(&member.user_id).await?;
        // DynamoDB deletes late what has expired.
        Ok(rows.iter().any(|row| row.ttl > now.millis() / 1000))
    }
}

/// By value, as `map_err` gives it.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn unavailable(error: PortError) -> Refusal {
    tracing::warn!(error = chain(&error), "a hub's members can't be read");
    let message = "the hub's members can't be read at the moment; ask again".to_owned();
    Refusal { code: ErrorCode::Internal, message }
}
