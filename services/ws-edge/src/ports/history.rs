//! The history, as the edge writes and reads it.

use std::future::Future;
use std::time::Duration;

use contract_connections_v1::ConnectionId;
use contract_history_v1::{MessageKey, MessageRow, PageRequest, SessionKey, SessionRow};
use contract_notifications_v1::{Timestamp, UserId};
use shared_ports::PortError;

/// Some rows of a user's history, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage<Row> {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether there may be older ones; never with no rows at all.
    pub more: bool,
}

impl<Row> Default for HistoryPage<Row> {
    /// Nothing, and nothing older.
    fn default() -> Self {
        Self { rows: Vec::new(), more: false }
    }
}

/// The history. What fails here is to be counted and logged, and must neither fail nor delay what it is about.
pub trait History: Send + Sync {
    /// How long rows are to be kept; `None` when the history is off, and then nothing needs to be recorded.
    fn lifetime(&self) -> Option<Duration>;

    /// Records a session that began.
    fn session_opened(&self, row: &SessionRow) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Records when a session ended, and so how long it lasted. One whose beginning was not recorded is no
    /// error, and stays unrecorded.
    fn session_closed(
        &self,
        user: &UserId,
        opened_at: Timestamp,
        connection: &ConnectionId,
        closed_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The user's sessions that are not yet too old, newest first. What was recorded before is in it.
    fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> impl Future<Output = Result<HistoryPage<SessionRow>, PortError>> + Send;

    /// What became of the user's notifications and is not yet too old, newest first. What was recorded before
    /// is in it.
    fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> impl Future<Output = Result<HistoryPage<MessageRow>, PortError>> + Send;
}

/// No history.
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

/// A history that may be off.
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
