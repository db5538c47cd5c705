//! Reads pages of the history.

use contract_history_v1::{Message, MessageKey, Page, PageRequest, Session, SessionKey};
use contract_notifications_v1::UserId;
use shared_ports::{PortError, SystemClock};
use ws_edge::ports::History as _;

use crate::server::HistoryReader;
use tidings_history::StoredHistory;

/// Most bytes of the entries of a page.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// The stored history, if one is kept.
pub struct HistoryPages(pub(super) Option<StoredHistory<SystemClock>>);

impl HistoryReader for HistoryPages {
    fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<Option<Page<Session>>, PortError> {
        let Some(history) = &self.0 else { return Ok(None) };
        let found = history.sessions(user, page).await?;
        Ok(Some(Page::of_sessions(found.rows, found.more, MAX_PAGE_BYTES)))
    }

    async fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> Result<Option<Page<Message>>, PortError> {
        let Some(history) = &self.0 else { return Ok(None) };
        let found = history.messages(user, page).await?;
        Ok(Some(Page::of_messages(found.rows, found.more, MAX_PAGE_BYTES)))
    }
}
