//! An operator's view of a user's queue and mailbox. Reading it changes nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use contract_notifications_v1::{Notification, NotificationId, Sequence, UserId};
use dispatcher::core::ConnectionSet;
use shared_ports::Clock;

use super::codec::{Seq, decode, sequence};
use super::error::StoreError;
use super::{DeadLetter, Store};

/// Most rows of a user that are counted or searched, and about the most dead letters that are searched.
pub const SEARCH_LIMIT: usize = 10_000;
/// Most bytes of rows that a search reads.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Dead letters read at once.
const DEAD_LETTERS: usize = 1_000;

/// The state of an accepted notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationState {
    /// In the queue, and being delivered or about to be.
    Queued {
        /// Number of times that the dispatcher has received it.
        receives: u32,
    },
    /// In the mailbox.
    Held {
        /// Number of open connections to which it was pushed. None of them has acknowledged it.
        pushed_to: usize,
    },
}

/// A notification that is not completed.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredNotification {
    /// Its position in the user's order.
    pub sequence: Sequence,
    /// The notification.
    pub notification: Notification,
    /// Its state.
    pub state: NotificationState,
}

/// A user's mailbox.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MailboxView {
    /// The first rows, in order.
    pub first: Vec<StoredNotification>,
    /// Number of rows.
    pub count: usize,
    /// True if there are more rows than were counted.
    pub more: bool,
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search<T> {
    /// The item, if it was found.
    pub found: Option<T>,
    /// True if everything was read that could hold the item.
    pub complete: bool,
}

/// A user's state in memory while the disk is read.
struct Known {
    /// Rows from here on are queued; those before are held.
    queued_from: Seq,
    /// Rows from here on are not in the queue yet.
    published: Seq,
    deleting: HashSet<Seq>,
    /// Held notifications in memory, and the number of connections to which each was pushed.
    in_memory: Vec<(Seq, Arc<Notification>, usize)>,
}

impl Known {
    /// Returns true for a row on disk that doesn't count: it is deleted, or memory has its notification.
    fn is_covered(&self, number: Seq) -> bool {
        self.deleting.contains(&number)
            || self.in_memory.binary_search_by_key(&number, |(seq, ..)| *seq).is_ok()
    }

    /// Decodes a row, unless it is being deleted or can't be read.
    fn read(&self, user: &UserId, number: Seq, value: &[u8]) -> Option<Notification> {
        (!self.is_covered(number)).then(|| decode(user, value).ok()).flatten()
    }
}

impl<K: Clock + 'static> Store<K> {
    fn known_for_view(&self, user: &UserId) -> Known {
        let published = self.core().published.load(Ordering::Acquire);
        self.core().with_user(user, |state| Known {
            queued_from: state.first_queued().map_or(published, |queued| queued.min(published)),
            published,
            deleting: state.deleting.iter().flat_map(|chunk| chunk.iter().copied()).collect(),
            in_memory: state
                .held_pending
                .iter()
                .map(|held| (held.seq, Arc::clone(&held.notification), held.pushed_to.len()))
                .collect(),
        })
    }

    /// Returns a user's mailbox: the first `limit` rows that can be decoded, and the number of all, up to
    /// [`SEARCH_LIMIT`].
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
            if known.is_covered(number) {
                continue;
            }
            if view.count == SEARCH_LIMIT {
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
        view.count += known.in_memory.len();
        view.first.extend(known.in_memory.into_iter().map(|(number, notification, pushed_to)| {
            let state = NotificationState::Held { pushed_to };
            let notification = Notification::clone(&notification);
            StoredNotification { sequence: sequence(number), notification, state }
        }));
        view.first.sort_by_key(|stored| stored.sequence);
        view.first.truncate(limit);
        Ok(view)
    }

    fn pushed_to(&self, user: &UserId, number: Seq) -> usize {
        self.core().with_user(user, |state| state.rows.get(&number).map_or(0, ConnectionSet::len))
    }

    /// Finds the newest queued or held notification with that id, among the newest [`SEARCH_LIMIT`] rows or 64
    /// MiB of them. Rows that can't be decoded are skipped.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn find(&self, user: &UserId, id: &NotificationId) -> Result<Search<StoredNotification>, StoreError> {
        let known = self.known_for_view(user);
        // Notifications in pending records are in memory, and newer than most that have rows.
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
            if at == SEARCH_LIMIT || bytes > MOST_BYTES {
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

    /// Returns the state of a queue entry. An entry that is in the mailbox before it is pushed counts as
    /// held.
    fn queued_as(&self, user: &UserId, number: Seq) -> NotificationState {
        self.core().with_user(user, |state| match state.in_memory(number) {
            Some(queued) if queued.held => NotificationState::Held { pushed_to: queued.pushed_to.len() },
            Some(queued) => NotificationState::Queued { receives: queued.receives },
            None => NotificationState::Queued { receives: 0 },
        })
    }

    /// Finds the newest dead letter with that user and id, among about the first [`SEARCH_LIMIT`] of all.
    ///
    /// # Errors
    /// As [`Store::dead_letters`].
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
            if !page.more || after.is_none() || seen >= SEARCH_LIMIT {
                return Ok(Search { found, complete: !page.more });
            }
        }
    }
}
