//! The history of a user's sessions and messages.

use std::future::Future;
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_history_v1::{MessageKey, MessageRow, PageRequest, SessionKey, SessionRow};
use contract_notifications_v1::{Timestamp, UserId};
use shared_ports::PortError;

/// A page of a user's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage<Row> {
    /// The rows, newest first.
    pub rows: Vec<Row>,
    /// True if there may be older rows. Never true on an empty page.
    pub more: bool,
}

impl<Row> Default for HistoryPage<Row> {
    /// A page without rows, and without older ones.
    fn default() -> Self {
        Self { rows: Vec::new(), more: false }
    }
}

/// Records and reads the history. Callers count and log a failure to record, and go on. They wait for a
/// record for a second at most.
pub trait History: Send + Sync {
    /// Returns the time for which rows are kept, or `None` if the history is off. Callers record nothing
    /// then.
    fn lifetime(&self) -> Option<Duration>;

    /// Records the start of a session.
    fn session_opened(&self, row: &SessionRow) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Records the end and so the duration of a session. Does nothing if the session's start was not
    /// recorded.
    fn session_closed(
        &self,
        user: &UserId,
        opened_at: Timestamp,
        connection: &ConnectionId,
        closed_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Returns a page of the user's unexpired sessions. It sees all rows recorded before the call.
    fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> impl Future<Output = Result<HistoryPage<SessionRow>, PortError>> + Send;

    /// Returns a page of the user's unexpired message rows: what happened to the user's notifications. It
    /// sees all rows recorded before the call.
    fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> impl Future<Output = Result<HistoryPage<MessageRow>, PortError>> + Send;
}

/// A history that is off.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn lifetime(&self) -> Option<Duration> {
        None
    }

    async fn session_opened(&self, _: &SessionRow) -> Result<(), PortError> {
        Ok(())
    }

    async fn session_closed(
        &self,
        _: &UserId,
        _: Timestamp,
        _: &ConnectionId,
        _: Timestamp,
    ) -> Result<(), PortError> {
        Ok(())
    }

    async fn sessions(
        &self,
        _: &UserId,
        _: &PageRequest<SessionKey>,
    ) -> Result<HistoryPage<SessionRow>, PortError> {
        Ok(HistoryPage::default())
    }

    async fn messages(
        &self,
        _: &UserId,
        _: &PageRequest<MessageKey>,
    ) -> Result<HistoryPage<MessageRow>, PortError> {
        Ok(HistoryPage::default())
    }
}

/// `None` is a history that is off.
impl<H: History> History for Option<H> {
    fn lifetime(&self) -> Option<Duration> {
        self.as_ref().and_then(History::lifetime)
    }

    async fn session_opened(&self, row: &SessionRow) -> Result<(), PortError> {
        match self {
            Some(history) => history.session_opened(row).await,
            None => NoHistory.session_opened(row).await,
        }
    }

    async fn session_closed(
        &self,
        user: &UserId,
        opened_at: Timestamp,
        connection: &ConnectionId,
        closed_at: Timestamp,
    ) -> Result<(), PortError> {
        match self {
            Some(history) => history.session_closed(user, opened_at, connection, closed_at).await,
            None => NoHistory.session_closed(user, opened_at, connection, closed_at).await,
        }
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<HistoryPage<SessionRow>, PortError> {
        match self {
            Some(history) => history.sessions(user, page).await,
            None => NoHistory.sessions(user, page).await,
        }
    }

    async fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> Result<HistoryPage<MessageRow>, PortError> {
        match self {
            Some(history) => history.messages(user, page).await,
            None => NoHistory.messages(user, page).await,
        }
    }
}
