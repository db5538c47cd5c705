//! Notifications that are about to be delivered: those of one commit together, as one record.
//!
//! A row of its own is inserted when a notification is accepted and removed when it is delivered, and both look for
//! their place among all other rows. For a user who is there the second follows within milliseconds, so such
//! notifications go to the disk as one record for each commit, and it is removed when the last of them is completed.
//! What of it is completed before is noted beside it with each commit. A notification that has to be held gets its row
//! then; and when a store is opened, what is left in records becomes rows, so that everything else knows rows alone
//! (docs/adr/0014-arrivals-in-one-record.md).

use std::collections::BTreeMap;

use contract_notifications_v1::UserId;
use fjall::Slice;

use super::codec::{Corrupted, Reader, Seq, put_text, row_key};
use super::commit_position::Keyspace;
use super::engine::{Batch, Engine};

const FORMAT: u8 = 1;
/// A record of so many bytes gets no more: it is read back as a whole.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Where a notification stands: in the record of which commit, as the how manyth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RecordLocation {
    pub(super) commit: u64,
    pub(super) index: u32,
}

/// A record in the making.
#[derive(Debug, Default)]
pub(super) struct PendingRecord {
    bytes: Vec<u8>,
    count: u32,
}

impl PendingRecord {
    /// Adds a notification by its row's value, and says as the how manyth; `None` when the record is full, as it is
    /// from then on.
    pub(super) fn push(&mut self, user: &UserId, seq: Seq, value: &[u8]) -> Option<u32> {
        if self.bytes.len() >= MOST_BYTES {
            return None;
        }
        if self.count == 0 {
            self.bytes.push(FORMAT);
        }
        put_text(&mut self.bytes, user.as_str());
        self.bytes.extend_from_slice(&seq.to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(value);
        let index = self.count;
        self.count += 1;
        Some(index)
    }

    /// Has the record written as the commit's, unless nothing is in it.
    pub(super) fn write(&self, batch: &mut Batch, commit: u64) {
        if self.count > 0 {
            batch.insert(Keyspace::PendingRecords, key(commit), self.bytes.as_slice());
        }
    }
}

/// The key of a commit's record; that of its note follows it.
fn key(commit: u64) -> [u8; 8] {
    commit.to_be_bytes()
}

fn note_key(commit: u64) -> [u8; 9] {
    let mut note = [0; 9];
    note[..8].copy_from_slice(&key(commit));
    note
}

/// A notification of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PendingNotification {
    pub(super) location: RecordLocation,
    pub(super) user: UserId,
    pub(super) seq: Seq,
    /// The value of its row.
    pub(super) value: Slice,
}

impl PendingNotification {
    /// Has its row written.
    pub(super) fn write_row(self, batch: &mut Batch) {
        batch.insert(Keyspace::Rows, row_key(&self.user, self.seq), self.value);
    }
}

/// What is in a record.
fn read(commit: u64, record: &[u8]) -> Result<Vec<PendingNotification>, Corrupted> {
    let mut reader = Reader(record);
    match reader.byte()? {
        FORMAT => {}
        other => return Err(Corrupted::Format(other)),
    }
    let mut pending_records = Vec::new();
    for index in 0.. {
        if reader.0.is_empty() {
            break;
        }
        let user = UserId::new(reader.text()?)?;
        let seq = reader.number()?;
        let len = usize::try_from(reader.number()?).map_err(|_| Corrupted::Short)?;
        let value = Slice::new(reader.take(len)?);
        pending_records.push(PendingNotification {
            location: RecordLocation { commit, index },
            user,
            seq,
            value,
        });
    }
    Ok(pending_records)
}

/// The commits whose records, or notes, are there. The space's number has a shorter key.
pub(super) fn commits(engine: &Engine) -> fjall::Result<Vec<u64>> {
    let mut commits = Vec::new();
    for guard in engine.pending_records.iter() {
        let key = guard.key()?;
        if let Some(commit) = key.first_chunk() {
            commits.push(u64::from_be_bytes(*commit));
        }
    }
    commits.dedup();
    Ok(commits)
}

/// What is not completed of a commit's record, as far as that was noted.
pub(super) fn incomplete(
    engine: &Engine,
    commit: u64,
) -> fjall::Result<Result<Vec<PendingNotification>, Corrupted>> {
    let Some(record) = engine.pending_records.get(key(commit))? else { return Ok(Ok(Vec::new())) };
    let note = engine.pending_records.get(note_key(commit))?;
    let completed = Completed(note.map(|note| note.to_vec()).unwrap_or_default());
    Ok(read(commit, &record).map(|mut pending_records| {
        pending_records.retain(|pending| !completed.contains(pending.location.index));
        pending_records
    }))
}

/// The keys of a commit's record and of its note.
pub(super) fn keys(commit: u64) -> [Vec<u8>; 2] {
    [key(commit).to_vec(), note_key(commit).to_vec()]
}

/// Has a record and its note removed.
pub(super) fn remove(batch: &mut Batch, commit: u64) {
    for key in keys(commit) {
        batch.remove(Keyspace::PendingRecords, key);
    }
}

/// Which of a record's notifications are completed, one bit each.
#[derive(Debug, Default)]
struct Completed(Vec<u8>);

impl Completed {
    fn contains(&self, index: u32) -> bool {
        let (at, bit) = Self::bit(index);
        self.0.get(at).is_some_and(|byte| byte & bit != 0)
    }

    /// True when it was not completed before.
    fn insert(&mut self, index: u32) -> bool {
        let (at, bit) = Self::bit(index);
        let fresh = !self.contains(index);
        self.0.resize(self.0.len().max(at + 1), 0);
        self.0[at] |= bit;
        fresh
    }

    /// True when it was completed.
    fn remove(&mut self, index: u32) -> bool {
        let (at, bit) = Self::bit(index);
        let there = self.contains(index);
        if there {
            self.0[at] &= !bit;
        }
        there
    }

    const fn bit(index: u32) -> (usize, u8) {
        (index as usize / 8, 1 << (index % 8))
    }
}

/// A record on disk.
#[derive(Debug)]
struct Open {
    bytes: usize,
    completed: Completed,
    left: u32,
    /// Whether there is perhaps a note beside it.
    noted: bool,
}

/// The records on disk of this process, and what is completed of them.
#[derive(Debug, Default)]
pub(super) struct PendingRecords {
    open: BTreeMap<u64, Open>,
    /// Bytes of all records.
    bytes: usize,
}

impl PendingRecords {
    /// A record that is on disk now.
    pub(super) fn insert(&mut self, commit: u64, record: &PendingRecord) {
        if record.count > 0 {
            let (bytes, left) = (record.bytes.len(), record.count);
            self.open.insert(commit, Open { bytes, completed: Completed::default(), left, noted: false });
            self.bytes += bytes;
        }
    }

    /// A batch failed by which notifications were to get rows: what is left of their record counts.
    pub(super) fn take_back(&mut self, locations: &[RecordLocation]) {
        for location in locations {
            if let Some(open) = self.open.get_mut(&location.commit) {
                open.left += u32::from(open.completed.remove(location.index));
            }
        }
    }

    /// Has it written that notifications are completed, or have rows that the batch writes; may be told more than once.
    pub(super) fn note(&mut self, batch: &mut Batch, locations: &[RecordLocation]) {
        for location in locations {
            if let Some(open) = self.open.get_mut(&location.commit) {
                open.left -= u32::from(open.completed.insert(location.index));
            }
        }
        for commit in commits_of(locations) {
            let Some(open) = self.open.get_mut(&commit) else { continue };
            if open.left > 0 {
                open.noted = true;
                batch.insert(Keyspace::PendingRecords, note_key(commit), open.completed.0.as_slice());
            } else if open.noted {
                remove(batch, commit);
            } else {
                batch.remove(Keyspace::PendingRecords, key(commit));
            }
        }
    }

    /// What was written of these is on disk.
    pub(super) fn noted(&mut self, locations: &[RecordLocation]) {
        for commit in commits_of(locations) {
            if self.open.get(&commit).is_some_and(|open| open.left == 0) {
                self.close(commit);
            }
        }
    }

    /// A record that is on disk no more.
    pub(super) fn close(&mut self, commit: u64) {
        if let Some(open) = self.open.remove(&commit) {
            self.bytes -= open.bytes;
        }
    }

    /// The oldest record, when all together have more than `most` bytes: one notification that is not completed keeps
    /// the whole record of its commit.
    pub(super) fn excess(&self, most: usize) -> Option<u64> {
        self.open.keys().next().copied().filter(|_| self.bytes > most)
    }
}

/// The commits of locations, each once.
fn commits_of(locations: &[RecordLocation]) -> Vec<u64> {
    let mut commits: Vec<_> = locations.iter().map(|location| location.commit).collect();
    commits.sort_unstable();
    commits.dedup();
    commits
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use contract_notifications_v1::{Sequence, UserId};
    use dispatcher::core::run::{Entry, Outcome};
    use dispatcher::ports::{Mailbox as _, MailboxRow, PageQuery};
    use futures_util::FutureExt as _;
    use proptest::prelude::*;
    use verification_conformance::{ManualClock, connection, notification, user};

    use super::super::settings::StorageSettings;
    use super::super::{Lease, NotificationState as Seen, Store, Submission};
    use super::*;

    proptest! {
        #[test]
        fn what_is_put_into_a_record_is_read_from_it(
            rows in prop::collection::vec(("[!-~]{1,128}", any::<u64>(), any::<Vec<u8>>()), 1..20),
        ) {
            let mut record = PendingRecord::default();
            for (index, (user, seq, value)) in (0..).zip(&rows) {
                prop_assert_eq!(record.push(&UserId::new(user.as_str()).unwrap(), *seq, value), Some(index));
            }
            let pending_records = read(7, &record.bytes).unwrap();
            let locations: Vec<_> = pending_records.iter().map(|pending| (pending.location.commit, pending.location.index)).collect();
            prop_assert_eq!(locations, (0..).take(rows.len()).map(|index| (7, index)).collect::<Vec<_>>());
            let read = pending_records.into_iter().map(|row| (row.user.as_str().to_owned(), row.seq, row.value.to_vec()));
            prop_assert_eq!(read.collect::<Vec<_>>(), rows);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            _ = read(1, &bytes);
            _ = read(1, &[&[FORMAT], bytes.as_slice()].concat());
        }

        #[test]
        fn settled_are_those_that_were_and_were_not_taken_back(
            changes in prop::collection::vec((0..200_u32, any::<bool>()), 0..100),
        ) {
            let (mut completed, mut model) = (Completed::default(), std::collections::BTreeSet::new());
            for (index, is_settled) in changes {
                if is_settled {
                    prop_assert_eq!(completed.insert(index), model.insert(index));
                } else {
                    prop_assert_eq!(completed.remove(index), model.remove(&index));
                }
            }
            let found: Vec<_> = (0..300).filter(|index| completed.contains(*index)).collect();
            prop_assert_eq!(found, model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_full_record_takes_no_more() {
        let mut record = PendingRecord::default();
        let user = user("a");
        assert_eq!(record.push(&user, 1, &vec![0; MOST_BYTES]), Some(0));
        assert_eq!(record.push(&user, 2, b"x"), None);
    }

    type TestStore = Store<ManualClock>;

    /// Opens a store in which `there` are the users that are delivered to at once.
    fn open(directory: &std::path::Path, there: &'static [&'static str]) -> TestStore {
        let settings = StorageSettings { reserve_bytes: 0, hot_bytes: 40_000, ..StorageSettings::default() };
        let store = Store::open(directory, settings, ManualClock::default()).unwrap();
        store.expect_delivery(move |user| there.contains(&user.as_str()));
        store
    }

    async fn accept(store: &TestStore, users: &[(&str, std::ops::Range<u64>)]) {
        let submission = |(name, numbers): &(&str, std::ops::Range<u64>)| {
            let user = user(name);
            let one = move |n| Submission { notification: notification(&user, n), deduplicate: false };
            numbers.clone().map(one)
        };
        store.accept(users.iter().flat_map(submission).collect()).await.unwrap();
    }

    fn records(store: &TestStore) -> usize {
        commits(&store.core().engine.get().unwrap()).unwrap().len()
    }

    fn rows(store: &TestStore, name: &str) -> usize {
        store.core().engine.get().unwrap().scan(&user(name), 0, Seq::MAX).count()
    }

    fn complete(store: &TestStore, lease: Lease<ManualClock>, outcome: Outcome) {
        let outcomes = vec![outcome; lease.entries().len()];
        store.complete(lease, &outcomes);
    }

    async fn held(store: &TestStore, name: &str) -> Vec<u64> {
        let due_for = vec![connection("nobody")];
        let query = PageQuery { after: None, up_to: Sequence::MAX, due_for, limit: 100_000 };
        let page = store.page(&user(name), query).await.unwrap();
        page.rows.iter().map(|row| row.notification.payload.get().parse().unwrap()).collect()
    }

    /// What the dispatcher puts into the mailbox of a user who is not there.
    fn rows_to_hold(lease: &Lease<ManualClock>) -> Vec<MailboxRow> {
        let row = |entry: &Entry<_>| match entry {
            Entry::Notification { item, .. } => MailboxRow {
                sequence: item.sequence,
                notification: std::sync::Arc::clone(&item.body),
                pushed_to: std::collections::BTreeSet::new(),
            },
            Entry::Replay(_) => panic!("a replay"),
        };
        lease.entries().iter().map(row).collect()
    }

    #[tokio::test]
    async fn a_commit_for_users_who_are_there_is_one_record_until_all_of_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &["a", "b"]);
        accept(&store, &[("a", 0..3), ("b", 0..2), ("c", 0..2)]).await;
        assert_eq!((records(&store), rows(&store, "a"), rows(&store, "b"), rows(&store, "c")), (1, 0, 0, 2));
        let (a, b) = (store.receive().await, store.receive().await);
        complete(&store, a, Outcome::Done);
        store.flush().await.unwrap();
        assert_eq!(records(&store), 1);
        // A crash now repeats what is not completed, and nothing else.
        drop((b, store));
        let store = open(dir.path(), &["a", "b"]);
        assert_eq!((records(&store), rows(&store, "a"), rows(&store, "b")), (0, 0, 2));
        assert_eq!((held(&store, "b").await, held(&store, "c").await), (vec![0, 1], vec![0, 1]));
    }

    #[tokio::test]
    async fn all_settled_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &["a", "b"]);
        accept(&store, &[("a", 0..3), ("b", 0..2)]).await;
        let (a, b) = (store.receive().await, store.receive().await);
        complete(&store, a, Outcome::Done);
        store.flush().await.unwrap();
        complete(&store, b, Outcome::Done);
        store.flush().await.unwrap();
        let engine = store.core().engine.get().unwrap();
        assert_eq!((records(&store), engine.count(Keyspace::Rows).unwrap()), (0, 0));
    }

    #[tokio::test]
    async fn what_is_held_after_all_gets_a_row_and_is_not_delivered_twice() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &["a"]);
        accept(&store, &[("a", 0..2)]).await;
        let lease = store.receive().await;
        store.put(lease.user(), rows_to_hold(&lease)).await.unwrap();
        assert_eq!((records(&store), rows(&store, "a")), (0, 2));
        complete(&store, lease, Outcome::Done);
        assert_eq!(held(&store, "a").await, [0, 1]);
        drop(store);
        assert_eq!(held(&open(dir.path(), &["a"]), "a").await, [0, 1]);
    }

    #[tokio::test]
    async fn a_row_that_was_given_up_before_it_was_written_goes_when_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let settings = StorageSettings { reserve_bytes: 0, ..StorageSettings::default() };
        let (store, mut steps) = Store::open_stepped(dir.path(), settings, ManualClock::default()).unwrap();
        store.expect_delivery(|_| true);
        let mut accepting = pin!(accept(&store, &[("a", 0..2)]));
        assert!(accepting.as_mut().now_or_never().is_none());
        steps.step();
        accepting.await;
        let lease = store.receive().await;
        // The disk stalls; the run is given up, and the next one finds a connection.
        assert!(store.put(lease.user(), rows_to_hold(&lease)).now_or_never().is_none());
        complete(&store, lease, Outcome::Done);
        let mut flush = pin!(store.flush());
        assert!(flush.as_mut().now_or_never().is_none());
        steps.step();
        steps.step();
        flush.await.unwrap();
        assert_eq!((records(&store), rows(&store, "a")), (0, 0));
    }

    #[tokio::test]
    async fn who_is_stuck_keeps_no_records_of_others() {
        const COMMITS: u64 = 50;
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &["stuck", "quick"]);
        let mut stuck = None;
        for n in 0..COMMITS {
            accept(&store, &[("stuck", n..n + 1), ("quick", 0..40)]).await;
            while let Some(lease) = store.try_receive() {
                if lease.user().as_str() == "quick" {
                    complete(&store, lease, Outcome::Done);
                } else {
                    stuck = Some(lease);
                }
            }
        }
        store.flush().await.unwrap();
        // A record has more than 1,500 bytes.
        assert!((1..40_000 / 1_500).contains(&records(&store)), "{}", records(&store));
        assert_eq!((records(&store) + rows(&store, "stuck"), rows(&store, "quick")), (50, 0));
        // It is queued, and held nowhere.
        assert_eq!(held(&store, "stuck").await, [0_u64; 0]);
        let found = store.find(&user("stuck"), &notification(&user("stuck"), 3).id).unwrap().found.unwrap();
        assert_eq!(found.state, Seen::Queued { receives: 0 });
        // What it gets is in order, and then it is gone.
        let mut got = Vec::new();
        let mut next = stuck;
        while let Some(lease) = next.take().or_else(|| store.try_receive()) {
            for entry in lease.entries() {
                let Entry::Notification { item, .. } = entry else { panic!("{entry:?}") };
                got.push(item.body.payload.get().parse::<u64>().unwrap());
            }
            complete(&store, lease, Outcome::Done);
        }
        assert_eq!(got, (0..COMMITS).collect::<Vec<_>>());
        assert_eq!(held(&store, "stuck").await, [0_u64; 0]);
        store.flush().await.unwrap();
        assert_eq!((records(&store), rows(&store, "stuck")), (0, 0));
    }

    #[tokio::test]
    async fn what_fails_too_often_is_a_dead_letter_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let settings =
            StorageSettings { reserve_bytes: 0, max_receive_count: 1, ..StorageSettings::default() };
        let store = Store::open(dir.path(), settings, ManualClock::default()).unwrap();
        store.expect_delivery(|_| true);
        accept(&store, &[("a", 0..1)]).await;
        let lease = store.receive().await;
        complete(&store, lease, Outcome::Retry);
        assert_eq!(store.dead_letters(None, 10).await.unwrap().letters.len(), 1);
        assert_eq!((records(&store), rows(&store, "a")), (0, 0));
    }
}
