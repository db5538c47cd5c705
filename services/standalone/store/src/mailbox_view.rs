//! What operators see of a user's queue and mailbox. Nothing is changed or learned by looking.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use contract_notifications_v1::{Notification, NotificationId, Sequence, UserId};
use shared_ports::Clock;

use super::codec::{Seq, decode, sequence};
use super::error::StoreError;
use super::{DeadLetter, Store};

/// Most rows of a user, and most dead letters, that are looked at,
pub const MOST_SEEN: usize = 10_000;
/// and most bytes of them.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Dead letters read at once.
const DEAD_LETTERS: usize = 1_000;

/// Where an accepted notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationState {
    /// In the queue: it is being delivered, or is about to be.
    Queued {
        /// How often the dispatcher has had it.
        receives: u32,
    },
    /// In the mailbox.
    Held {
        /// To how many open connections it was pushed, none of which has acknowledged it.
        pushed_to: usize,
    },
}

/// A notification of a user that is not completed.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredNotification {
    /// Its place in the user's order.
    pub sequence: Sequence,
    /// The notification.
    pub notification: Notification,
    /// Where it is.
    pub state: NotificationState,
}

/// What a user's mailbox holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MailboxView {
    /// The first, in order.
    pub first: Vec<StoredNotification>,
    /// How many there are.
    pub count: usize,
    /// Whether there are more than were counted.
    pub more: bool,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Search<T> {
    /// It, if it is there.
    pub found: Option<T>,
    /// Whether everything was looked at that there is, as far as was necessary.
    pub complete: bool,
}

/// What memory knows of a user while the disk is read.
struct Known {
    /// Rows from here on are queued, and those before it are held.
    queued_from: Seq,
    /// Rows from here on are not yet accepted.
    published: Seq,
    deleting: HashSet<Seq>,
}

impl Known {
    /// The notification of a row, unless the row is being deleted or can't be read.
    fn read(&self, user: &UserId, number: Seq, value: &[u8]) -> Option<Notification> {
        (!self.deleting.contains(&number)).then(|| decode(user, value).ok()).flatten()
    }
}

impl<K: Clock + 'static> Store<K> {
    fn known_for_view(&self, user: &UserId) -> Known {
        let published = self.core().published.load(Ordering::Acquire);
        self.core().with_user(user, |state| Known {
            queued_from: state.first_queued().map_or(published, |queued| queued.min(published)),
            published,
            deleting: state.deleting.iter().flat_map(|chunk| chunk.iter().copied()).collect(),
        })
    }

    /// A user's mailbox: the first `limit` rows, and how many there are. Of more than [`MOST_SEEN`] the rest
    /// is not counted.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn mailbox(&self, user: &UserId, limit: usize) -> Result<MailboxView, StoreError> {
        let known = self.known_for_view(user);
        let mut view = MailboxView::default();
        if known.queued_from == 0 {
            return Ok(view);
        }
        let engine = self.core().reader()?;
        let last = known.queued_from - 1;
        for number in engine.scan_keys(user, 0, last) {
            let number = number?;
            if known.deleting.contains(&number) {
                continue;
            }
            if view.count == MOST_SEEN {
                view.more = true;
                break;
            }
            view.count += 1;
        }
        for row in engine.scan(user, 0, last) {
            let (number, value) = row?;
            if view.first.len() == limit {
                break;
            }
            if let Some(notification) = known.read(user, number, &value) {
                let state = NotificationState::Held { pushed_to: self.pushed_to(user, number) };
                view.first.push(StoredNotification { sequence: sequence(number), notification, state });
            }
        }
        Ok(view)
    }

    fn pushed_to(&self, user: &UserId, number: Seq) -> usize {
        self.core().with_user(user, |state| state.rows.get(&number).map_or(0, Vec::len))
    }

    /// The newest notification of that id which is queued or held, among the newest [`MOST_SEEN`].
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn find(&self, user: &UserId, id: &NotificationId) -> Result<Search<StoredNotification>, StoreError> {
        let known = self.known_for_view(user);
        // What has no row is queued: it comes behind most that has one.
        let pending = self.core().with_user(user, |state| {
            let newest = state.newest_pending(|notification| notification.id == *id);
            newest.map(|queued| (queued.seq, Arc::clone(&queued.notification)))
        });
        if let Some((number, notification)) = pending {
            let (notification, state) = (Notification::clone(&notification), self.queued_as(user, number));
            let found = Some(StoredNotification { sequence: sequence(number), notification, state });
            return Ok(Search { found, complete: true });
        }
        let rows = self.core().reader()?.scan(user, 0, known.published.saturating_sub(1)).rev();
        let mut bytes = 0;
        for (at, row) in rows.enumerate() {
            let (number, value) = row?;
            bytes += value.len();
            if at == MOST_SEEN || bytes > MOST_BYTES {
                return Ok(Search { found: None, complete: false });
            }
            let Some(notification) = known.read(user, number, &value).filter(|other| other.id == *id) else {
                continue;
            };
            let state = if number < known.queued_from {
                NotificationState::Held { pushed_to: self.pushed_to(user, number) }
            } else {
                self.queued_as(user, number)
            };
            let found = Some(StoredNotification { sequence: sequence(number), notification, state });
            return Ok(Search { found, complete: true });
        }
        Ok(Search { found: None, complete: true })
    }

    /// An entry of the queue; one that is put into the mailbox before it is pushed counts as there.
    fn queued_as(&self, user: &UserId, number: Seq) -> NotificationState {
        self.core().with_user(user, |state| {
            let pushed_to = state.rows.get(&number).map_or(0, Vec::len);
            match state.queued(number) {
                Some(queued) if queued.held => NotificationState::Held { pushed_to },
                Some(queued) => NotificationState::Queued { receives: queued.receives },
                None => NotificationState::Queued { receives: 0 },
            }
        })
    }

    /// The newest dead letter of a user's notification, among the first [`MOST_SEEN`] of all.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub async fn find_dead_letter(
        &self,
        user: &UserId,
        id: &NotificationId,
    ) -> Result<Search<DeadLetter>, StoreError> {
        let (mut after, mut found, mut seen) = (None, None, 0);
        loop {
            let page = self.dead_letters(after, DEAD_LETTERS).await?;
            seen += page.letters.len();
            after = page.letters.last().map(|letter| letter.id);
            let is_it = |letter: &DeadLetter| {
                letter.user_id == *user && letter.notification.as_ref().is_some_and(|other| other.id == *id)
            };
            found = page.letters.into_iter().rfind(is_it).or(found);
            if !page.more || after.is_none() || seen >= MOST_SEEN {
                return Ok(Search { found, complete: !page.more });
            }
        }
    }
}
