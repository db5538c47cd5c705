//! What the edge writes into the history, and what a client reads of its user's own.

use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_frames_v1::{ErrorCode, HistoryQuery, ServerFrame};
use contract_history_v1::{HistoryKind, InvalidKey, MAX_PAGE, Page, PageRequest, SessionRow};
use contract_identity_v1::Principal;
use contract_notifications_v1::{Payload, Timestamp, UserId};
use futures_util::future::{Either, select};
use metrics::counter;
use serde::Serialize;
use shared_ports::{Clock, PortError};
use shared_telemetry::chain;

use super::Edge;
use super::frames::Refusal;
use crate::core::admission::ClientInfo;
use crate::ports::History;

/// How long a handshake or an end may wait for the history.
const BUDGET: Duration = Duration::from_secs(1);

impl<C, M, K: Clock, H, O, L, Y: History> Edge<C, M, K, H, O, L, Y> {
    pub(super) async fn record_opened(
        &self,
        principal: &Principal,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
        client: ClientInfo,
    ) {
        let Some(lifetime) = self.history.lifetime() else { return };
        let Principal { user_id, method, .. } = principal;
        let row = SessionRow::opened(user_id.clone(), connection_id.clone(), opened_at, *method, lifetime)
            .from_client(client.source_ip, client.user_agent.as_deref());
        self.recorded(self.history.session_opened(&row)).await;
    }

    pub(super) async fn record_closed(
        &self,
        user: &UserId,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
    ) {
        if self.history.lifetime().is_some() {
            let closed_at = self.clock.now();
            self.recorded(self.history.session_closed(user, opened_at, connection_id, closed_at)).await;
        }
    }

    /// Waits for what is recorded, and no longer than it may take. A failure changes nothing but a count.
    async fn recorded(&self, work: impl Future<Output = Result<(), PortError>>) {
        let failed = match select(pin!(work), pin!(self.clock.sleep(BUDGET))).await {
            Either::Left((Ok(()), _)) => return,
            Either::Left((Err(error), _)) => chain(&error),
            Either::Right(_) => "it took too long".to_owned(),
        };
        counter!("tidings_history_failed_total").increment(1);
        tracing::warn!(error = failed, "a session could not be recorded");
    }

    /// The answer to a client that asks for its user's history.
    pub(super) async fn past(&self, user: &UserId, query: &HistoryQuery) -> Result<ServerFrame, Refusal> {
        if self.history.lifetime().is_none() {
            let message = "this gateway keeps no history".to_owned();
            return Err(Refusal { code: ErrorCode::Forbidden, message });
        }
        match query.of {
            HistoryKind::Sessions => {
                let found = self.history.sessions(user, &request(query)?).await.map_err(unavailable)?;
                frame(HistoryKind::Sessions, Page::of_sessions(found.rows, found.more))
            }
            HistoryKind::Messages => {
                let found = self.history.messages(user, &request(query)?).await.map_err(unavailable)?;
                frame(HistoryKind::Messages, Page::of_messages(found.rows, found.more))
            }
        }
    }
}

fn request<Key: FromStr<Err = InvalidKey>>(query: &HistoryQuery) -> Result<PageRequest<Key>, Refusal> {
    let before = query.before.as_deref().map(str::parse).transpose().map_err(|error: InvalidKey| {
        let message = format!("before: {error}; give what an earlier answer gave as \"next\"");
        Refusal { code: ErrorCode::BadRequest, message }
    })?;
    Ok(PageRequest { before, limit: query.limit.unwrap_or(MAX_PAGE) })
}

fn frame<T: Serialize>(of: HistoryKind, page: Page<T>) -> Result<ServerFrame, Refusal> {
    let items = page.items.iter().map(Payload::from_value).collect::<Result<_, _>>();
    let items = items.map_err(|error| {
        tracing::error!(%error, "the history can't be written as JSON");
        Refusal { code: ErrorCode::Internal, message: "the history can't be read".to_owned() }
    })?;
    Ok(ServerFrame::History { of, items, next: page.next.map(Into::into) })
}

/// By value, as `map_err` gives it.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn unavailable(error: PortError) -> Refusal {
    tracing::warn!(error = chain(&error), "the history can't be read");
    let message = "the history can't be read at the moment; ask again".to_owned();
    Refusal { code: ErrorCode::Internal, message }
}
