//! Lists, redrives and deletes the store's dead letters.

use contract_notifications_v1::Sequence;
use shared_ports::{PortError, SystemClock};
use tidings_store::{Store, StoreError};

use crate::server::{DeadLetter, DeadLetterSelector, DeadLetters};

/// Dead letters read at once when all are redriven or deleted.
const PAGE: usize = 500;

/// The dead letters of the store.
pub struct StoredDeadLetters(pub(super) Store<SystemClock>);

impl StoredDeadLetters {
    /// Calls `act` with the ids of the selected dead letters, page by page, and adds up its results. An id that is
    /// not well-formed selects nothing.
    async fn apply<F>(
        &self,
        selector: DeadLetterSelector,
        act: impl Fn(Vec<Sequence>) -> F,
    ) -> Result<usize, PortError>
    where
        F: Future<Output = Result<usize, StoreError>>,
    {
        let mut after = match selector {
            DeadLetterSelector::One(id) => {
                let Ok(id) = id.parse() else { return Ok(0) };
                return act(vec![id]).await.map_err(port_error);
            }
            DeadLetterSelector::All => None,
        };
        let mut count = 0;
        loop {
            let page = self.0.dead_letters(after, PAGE).await.map_err(port_error)?;
            let ids: Vec<_> = page.letters.iter().map(|letter| letter.id).collect();
            after = ids.last().copied();
            if ids.is_empty() {
                return Ok(count);
            }
            count += act(ids).await.map_err(port_error)?;
            if !page.more {
                return Ok(count);
            }
        }
    }
}

impl DeadLetters for StoredDeadLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let after = after.map(str::parse).transpose();
        let after = after.map_err(|source| PortError::permanent("listing dead letters", source))?;
        let page = self.0.dead_letters(after, limit).await.map_err(port_error)?;
        Ok(page.letters.into_iter().map(|letter| shown(letter, false)).collect())
    }

    async fn get(&self, id: &str) -> Result<Option<DeadLetter>, PortError> {
        let Ok(id) = id.parse() else { return Ok(None) };
        let letter = self.0.dead_letter(id).await.map_err(port_error)?;
        Ok(letter.map(|letter| shown(letter, true)))
    }

    async fn redrive(&self, selector: DeadLetterSelector) -> Result<usize, PortError> {
        self.apply(selector, |ids| async move { Ok(self.0.redrive(&ids).await?.accepted.len()) }).await
    }

    async fn purge(&self, selector: DeadLetterSelector) -> Result<usize, PortError> {
        self.apply(selector, |ids| async move { self.0.purge(&ids).await }).await
    }
}

fn port_error(error: StoreError) -> PortError {
    PortError::retryable("using the dead letters", error)
}

/// A dead letter as operators see it, with its notification or without.
fn shown(letter: tidings_store::DeadLetter, with_notification: bool) -> DeadLetter {
    let tidings_store::DeadLetter { id, user_id, reason, at, notification, .. } = letter;
    DeadLetter {
        id: id.to_string(),
        user_id,
        notification_id: notification.as_ref().map(|notification| notification.id.clone()),
        reason,
        since: at,
        notification: notification.filter(|_| with_notification),
    }
}
