//! Looks up users and notifications in the store, the history and the tracked notifications.

use contract_history_v1::{MAX_PAGE, Message, PageRequest};
use contract_notifications_v1::{NotificationId, UserId};
use shared_ports::{PortError, SystemClock};
use tidings_store::{MailboxView, Search, Store, StoreError};
use ws_edge::ports::History as _;

use crate::server::Inspection;
use crate::timeline::{Sources, Timeline};
use crate::tracking::Tracking;
use tidings_history::StoredHistory;

/// Pages of a user's history that are searched for a notification.
const HISTORY_PAGES: usize = 10;

/// Sources of what is known of a user's notifications.
pub struct StoreInspection {
    pub(super) store: Store<SystemClock>,
    pub(super) history: Option<StoredHistory<SystemClock>>,
    pub(super) tracking: Tracking<SystemClock>,
}

impl Inspection for StoreInspection {
    async fn mailbox(&self, user: &UserId, limit: usize) -> Result<MailboxView, PortError> {
        let (store, user) = (self.store.clone(), user.clone());
        read_blocking(move || store.mailbox(&user, limit)).await
    }

    async fn timeline(&self, user: &UserId, id: &NotificationId) -> Result<Timeline, PortError> {
        let history = match &self.history {
            Some(history) => Some(search_history(history, user, id).await?),
            None => None,
        };
        let kept = {
            let (store, user, id) = (self.store.clone(), user.clone(), id.clone());
            read_blocking(move || store.find(&user, &id)).await?
        };
        let dead = self.store.find_dead_letter(user, id).await.map_err(port_error)?;
        // Read last, so that it has the events of a notification that left the queue since.
        let tracked = self.tracking.get(user, id);
        Ok(Timeline::new(user.clone(), id.clone(), Sources { kept, dead, history, tracked }))
    }

    fn track(&self, user: &UserId, id: &NotificationId) -> bool {
        self.tracking.track(user, id)
    }
}

fn port_error(source: StoreError) -> PortError {
    PortError::retryable("looking up a user", source)
}

/// Reads from the store on a thread that may block.
async fn read_blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, PortError> {
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(|source| PortError::permanent("looking up a user", source))?;
    read.map_err(port_error)
}

/// Finds the entries of a notification among the newest [`HISTORY_PAGES`] pages of the user's history.
async fn search_history(
    history: &StoredHistory<SystemClock>,
    user: &UserId,
    id: &NotificationId,
) -> Result<Search<Vec<Message>>, PortError> {
    let (mut found, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = history.messages(user, &PageRequest { before, limit: MAX_PAGE }).await?;
        let Some(last) = page.rows.last() else { break };
        before = Some(last.entry);
        pages += 1;
        let more = page.more;
        found.extend(page.rows.into_iter().filter(|row| row.notification_id == *id).map(Message::from));
        if !more {
            break;
        }
        if pages == HISTORY_PAGES {
            return Ok(Search { found: Some(found), complete: false });
        }
    }
    Ok(Search { found: Some(found), complete: true })
}
