//! Records sessions in the history, and answers clients that read their user's history.

use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_frames_v1::{ErrorCode, HistoryQuery, MAX_MESSAGE_BYTES, ServerFrame};
use contract_history_v1::{HistoryKind, InvalidKey, MAX_PAGE, Page, PageRequest, SessionRow};
use contract_identity_v1::Principal;
use contract_notifications_v1::{Payload, Timestamp, UserId};
use futures_util::future::{Either, select};
use metrics::counter;
use serde::Serialize;
use shared_ports::{Clock as _, PortError};
use shared_telemetry::chain;

use super::edge::Edge;
use super::refusal::Refusal;
use crate::core::admission::ClientInfo;
use crate::ports::{History as _, Ports};

/// Longest time that opening or closing a connection waits for the history.
const BUDGET: Duration = Duration::from_secs(1);

/// Most bytes of the entries of a frame: the rest of the frame needs less than 512.
const MAX_ITEMS_BYTES: usize = MAX_MESSAGE_BYTES - 512;

impl<P: Ports> Edge<P> {
    /// Records the start of a session, if a history is kept.
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
        self.record(self.history.session_opened(&row)).await;
    }

    /// Records the end of a session, if a history is kept.
    pub(super) async fn record_closed(
        &self,
        user: &UserId,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
    ) {
        if self.history.lifetime().is_some() {
            let closed_at = self.clock.now();
            self.record(self.history.session_closed(user, opened_at, connection_id, closed_at)).await;
        }
    }

    /// Waits for a write to the history, at most [`BUDGET`]. A failure or timeout is counted and logged; in
    /// both cases the connection's opening or closing goes on.
    async fn record(&self, work: impl Future<Output = Result<(), PortError>>) {
        let failed = match select(pin!(work), pin!(self.clock.sleep(BUDGET))).await {
            Either::Left((Ok(()), _)) => return,
            Either::Left((Err(error), _)) => chain(&error),
            Either::Right(_) => "the history did not answer in time".to_owned(),
        };
        counter!("tidings_history_failed_total").increment(1);
        tracing::warn!(error = failed, "a session could not be recorded");
    }

    /// Returns a page of the user's history, for the user's client.
    pub(super) async fn history_page(
        &self,
        user: &UserId,
        query: &HistoryQuery,
    ) -> Result<ServerFrame, Refusal> {
        if self.history.lifetime().is_none() {
            let message = "this gateway keeps no history".to_owned();
            return Err(Refusal::new(ErrorCode::Forbidden, message));
        }
        match query.of {
            HistoryKind::Sessions => {
                let found = self.history.sessions(user, &request(query)?).await.map_err(unavailable)?;
                frame(HistoryKind::Sessions, Page::of_sessions(found.rows, found.more, MAX_ITEMS_BYTES))
            }
            HistoryKind::Messages => {
                let found = self.history.messages(user, &request(query)?).await.map_err(unavailable)?;
                frame(HistoryKind::Messages, Page::of_messages(found.rows, found.more, MAX_ITEMS_BYTES))
            }
        }
    }
}

fn request<Key: FromStr<Err = InvalidKey>>(query: &HistoryQuery) -> Result<PageRequest<Key>, Refusal> {
    let before = query.before.as_deref().map(str::parse).transpose().map_err(|error: InvalidKey| {
        let message = format!("before: {error}; use the \"next\" of an earlier answer");
        Refusal::new(ErrorCode::BadRequest, message)
    })?;
    Ok(PageRequest { before, limit: query.limit.unwrap_or(MAX_PAGE) })
}

fn frame<T: Serialize>(of: HistoryKind, page: Page<T>) -> Result<ServerFrame, Refusal> {
    let items = page.items.iter().map(Payload::from_value).collect::<Result<_, _>>();
    let items = items.map_err(|error| {
        tracing::error!(%error, "a history page can't be serialized");
        Refusal::new(ErrorCode::Internal, "the history can't be read".to_owned())
    })?;
    Ok(ServerFrame::History { of, items, next: page.next.map(Into::into) })
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn unavailable(error: PortError) -> Refusal {
    tracing::warn!(error = chain(&error), "the history can't be read");
    let message = "the history can't be read at the moment; try again".to_owned();
    Refusal::new(ErrorCode::Internal, message)
}
