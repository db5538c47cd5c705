//! Dead letters: notifications that could not be delivered, with the reason.

use std::collections::HashSet;
use std::sync::Mutex;

use bytes::Bytes;
use contract_notifications_v1::{Notification, Sequence, Timestamp, UserId};
use shared_ports::Clock;
use shared_sync::IgnorePoison as _;

use super::codec::{Corrupted, Reader, Seq, decode, put_text, seq, sequence};
use super::commit_position::Keyspace;
use super::core::Core;
use super::error::{AcceptError, StoreError};
use super::inbox::Change;
use super::settings::Origin;
use super::{Accepted, Store, prepare};

const FORMAT: u8 = 1;

/// A notification that could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The notification's sequence, which identifies the dead letter.
    pub id: Sequence,
    /// The user.
    pub user_id: UserId,
    /// The reason, for operators.
    pub reason: String,
    /// Time at which it became a dead letter.
    pub at: Timestamp,
    /// The notification, if it can be read.
    pub notification: Option<Notification>,
    /// The stored bytes, if the notification can't be read.
    pub body: Bytes,
}

/// A page of dead letters, the oldest sequence first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetterPage {
    /// The dead letters.
    pub letters: Vec<DeadLetter>,
    /// True if there are further ones.
    pub more: bool,
}

/// The result of redriving dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redriven {
    /// The dead letters' ids, and the sequences under which they were accepted.
    pub accepted: Vec<(Sequence, Accepted)>,
    /// Dead letters that are not there, are being redriven by another call, or can't be read.
    pub skipped: Vec<Sequence>,
}

/// Encodes a dead letter.
pub(super) fn encode(at: Timestamp, reason: &str, user: &UserId, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(reason.len() + user.as_str().len() + value.len() + 13);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&at.millis().to_be_bytes());
    put_text(&mut bytes, reason);
    put_text(&mut bytes, user.as_str());
    bytes.extend_from_slice(value);
    bytes
}

/// Decodes a dead letter.
pub(super) fn read(id: Seq, bytes: &[u8]) -> Result<DeadLetter, Corrupted> {
    let mut reader = Reader(bytes);
    match reader.byte()? {
        FORMAT => {}
        other => return Err(Corrupted::Format(other)),
    }
    let at = Timestamp::from_millis(reader.number()?);
    let reason = reader.text()?.to_owned();
    let user_id = UserId::new(reader.text()?)?;
    let notification = decode(&user_id, reader.0).ok();
    let body = if notification.is_some() { Bytes::new() } else { Bytes::copy_from_slice(reader.0) };
    Ok(DeadLetter { id: sequence(id), user_id, reason, at, notification, body })
}

impl<K: Clock + 'static> Store<K> {
    /// Returns the first dead letters after `after`, at most `limit`. Those that can't be decoded are logged
    /// and left out.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read, or the dead letters that wait can't be written.
    pub async fn dead_letters(
        &self,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<DeadLetterPage, StoreError> {
        // Dead letters of leases that were completed are on their way to the disk.
        self.write(Vec::new(), None).await?;
        let limit = limit.max(1);
        let first = after.map_or(0, |after| seq(after).saturating_add(1));
        self.core().read(move |core| read_page(core, first, limit)).await
    }

    /// Returns a dead letter, or `None` if it is not there or can't be decoded.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read, or the dead letters that wait can't be written.
    pub async fn dead_letter(&self, id: Sequence) -> Result<Option<DeadLetter>, StoreError> {
        self.write(Vec::new(), None).await?;
        self.core().read(move |core| read_dead_letter(core, seq(id))).await
    }

    /// Redrives dead letters: accepts them with the same id and user and a new sequence, even if the id is in
    /// the deduplication window. A caller that stops waiting may or may not stop it.
    ///
    /// # Errors
    /// [`StoreError`]. Dead letters may have been accepted all the same if a write failed ([`AcceptError`]).
    ///
    /// [`AcceptError`]: super::AcceptError
    pub async fn redrive(&self, ids: &[Sequence]) -> Result<Redriven, StoreError> {
        self.write(Vec::new(), None).await?;
        let mut redriven = Redriven::default();
        let mut claim = Claim { set: &self.core().redriving, seqs: Vec::new() };
        let mut items = Vec::new();
        for id in ids {
            let number = seq(*id);
            if !self.core().redriving.lock().ignore_poison().insert(number) {
                redriven.skipped.push(*id);
                continue;
            }
            claim.seqs.push(number);
            match read_dead_letter(self.core(), number)?.and_then(|letter| letter.notification) {
                None => redriven.skipped.push(*id),
                Some(notification) => {
                    let mut item = prepare(&mut Vec::new(), notification, false);
                    item.redriven = Some(number);
                    items.push((*id, item));
                }
            }
        }
        let (ids, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let accepted = self.accept_prepared(Origin::Producer, items).await?;
        redriven.accepted = ids.into_iter().zip(accepted).collect();
        Ok(redriven)
    }

    /// Deletes dead letters, and returns their number. Skips those that are not there or are being redriven. A
    /// caller that stops waiting does not stop it.
    ///
    /// # Errors
    /// [`StoreError`]. Dead letters may have been deleted all the same if the write failed.
    pub async fn purge(&self, ids: &[Sequence]) -> Result<usize, StoreError> {
        let (store, ids) = (self.clone(), ids.to_vec());
        // In a task of its own: the count must follow the write, even if the caller is gone.
        let purging = tokio::spawn(async move { store.purge_all(&ids).await });
        // The runtime is being shut down if the task does not end.
        purging.await.unwrap_or(Err(StoreError::Write(AcceptError::ShuttingDown)))
    }

    async fn purge_all(&self, ids: &[Sequence]) -> Result<usize, StoreError> {
        self.write(Vec::new(), None).await?;
        let mut claim = Claim { set: &self.core().redriving, seqs: Vec::new() };
        let mut changes = Vec::new();
        for number in ids.iter().map(|id| seq(*id)) {
            if self.core().redriving.lock().ignore_poison().insert(number) {
                claim.seqs.push(number);
                if self.core().reader()?.dead.contains_key(number.to_be_bytes())? {
                    let key = number.to_be_bytes().to_vec();
                    changes.push(Change { keyspace: Keyspace::DeadLetters, key, value: None });
                }
            }
        }
        let count = changes.len();
        self.write(changes, None).await?;
        self.core().dead_letters.fetch_sub(count, std::sync::atomic::Ordering::Relaxed);
        Ok(count)
    }
}

/// Reads the first `limit` dead letters from `first` on.
fn read_page<K: Clock>(core: &Core<K>, first: Seq, limit: usize) -> Result<DeadLetterPage, StoreError> {
    let engine = core.reader()?;
    let mut page = DeadLetterPage::default();
    for guard in engine.dead.range(first.to_be_bytes()..) {
        let (key, value) = guard.into_inner()?;
        if page.letters.len() == limit {
            page.more = true;
            break;
        }
        let id = super::codec::key_seq(&key).unwrap_or(0);
        match read(id, &value) {
            Ok(letter) => page.letters.push(letter),
            Err(error) => {
                let error = shared_telemetry::chain(&error);
                tracing::error!(error, id, "a dead letter can't be read");
            }
        }
    }
    Ok(page)
}

fn read_dead_letter<K: Clock>(core: &Core<K>, id: Seq) -> Result<Option<DeadLetter>, StoreError> {
    let value = core.reader()?.dead.get(id.to_be_bytes())?;
    Ok(value.and_then(|value| read(id, &value).ok()))
}

/// Dead letters that one call redrives or purges. Dropping it lets other calls have them.
struct Claim<'a> {
    set: &'a Mutex<HashSet<Seq>>,
    seqs: Vec<Seq>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut set = self.set.lock().ignore_poison();
        for seq in &self.seqs {
            set.remove(seq);
        }
    }
}
