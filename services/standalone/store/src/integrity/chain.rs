//! Checks that the commits in the journals follow each other without a gap that loses something durable.

use std::path::{Path, PathBuf};

use super::super::commit_position::{CommitRecord, KEYSPACES, Reach};
use super::super::durable_marker::DurablePosition;
use super::journal::{Batch, Piece, Pieces};
use super::{Damage, Found};

/// A part of a journal that can't be read. It is damage, or the end that was being written.
struct Break {
    path: PathBuf,
    at: usize,
    end: usize,
    /// The commit expected there.
    expected: u64,
    /// True if a later commit proves that it was durable.
    durable: bool,
    /// The last commit before it.
    before: Option<CommitRecord>,
    /// The damage if the commit was durable. If it was not, nothing behind it was either, and the engine
    /// drops all of it.
    missing: Option<Damage>,
}

/// The commits of all journals, in order.
pub(super) struct Chain {
    /// The last commit of each keyspace in its table files.
    stored: Reach,
    /// The commit record in the table files.
    stored_record: Option<CommitRecord>,
    marked: Option<DurablePosition>,
    last: Option<CommitRecord>,
    last_seqno: u64,
    batches: u64,
    breaks: Vec<Break>,
    damage: Vec<Damage>,
}

impl Chain {
    pub(super) fn new(
        stored: Reach,
        stored_record: Option<CommitRecord>,
        marked: Option<DurablePosition>,
    ) -> Self {
        Self {
            stored,
            stored_record,
            marked,
            last: None,
            last_seqno: 0,
            batches: 0,
            breaks: Vec::new(),
            damage: Vec::new(),
        }
    }

    /// Adds the next journal.
    pub(super) fn follow(&mut self, path: &Path, bytes: &[u8], meta: u64) {
        let earlier = self.breaks.len();
        let mut broken = false;
        for piece in Pieces::new(bytes, meta) {
            match piece {
                Piece::Batch(batch) => {
                    // A journal is synced before the next one is begun.
                    self.breaks[..earlier].iter_mut().for_each(|earlier| earlier.durable = true);
                    self.batch(path, &batch, std::mem::take(&mut broken));
                }
                Piece::Broken { at, end } => {
                    broken = true;
                    let (path, expected, before) = (path.to_owned(), self.expected(), self.last);
                    let unproven = Break { path, at, end, expected, durable: false, before, missing: None };
                    self.breaks.push(unproven);
                }
            }
        }
    }

    /// Returns the number of the next commit. If no commit came before it in the journals, that is the one
    /// after the last durable commit, provided that the table files have all of these.
    fn expected(&self) -> u64 {
        let stored = self.stored_record.map_or(0, |stored| stored.commit);
        let all = |marked: &DurablePosition| {
            stored >= marked.commit && (0..KEYSPACES).all(|at| self.stored[at] >= marked.reach[at])
        };
        let before = self.last.map(|last| last.commit);
        before.or_else(|| self.marked.as_ref().is_some_and(all).then_some(stored)).unwrap_or(0) + 1
    }

    fn batch(&mut self, path: &Path, batch: &Batch<'_>, broken: bool) {
        self.batches += 1;
        let behind = batch.seqno <= self.last_seqno && self.batches > 1;
        let Some(record) = batch.record else {
            self.last_seqno = self.last_seqno.max(batch.seqno);
            return;
        };
        let repeats = self.last.is_some_and(|last| record.commit <= last.commit);
        if !batch.header || behind || repeats {
            let (at, bytes) = (batch.at as u64, (batch.end - batch.at) as u64);
            self.damage.push(Damage::Journal { path: path.to_owned(), at, bytes });
        }
        if repeats {
            return;
        }
        for earlier in &mut self.breaks {
            earlier.durable |= record.synced >= earlier.expected;
        }
        self.last_seqno = if batch.header { batch.seqno } else { record.base };
        if self.last.map_or(0, |last| last.commit) + 1 != record.commit {
            let missing = self.hole(record.before, record.commit, record.first);
            match self.breaks.last_mut().filter(|_| broken) {
                Some(unproven) => unproven.missing = missing,
                None => self.damage.extend(missing),
            }
        }
        self.last = Some(record);
    }

    /// Returns the damage of a gap in the journals before commit `next`, if there is any: the table files
    /// must have everything that the missing commits wrote. `reach` is the last commit of each keyspace
    /// before `next`, and `next_seq` the next sequence before it.
    fn hole(&self, reach: Reach, next: u64, next_seq: u64) -> Option<Damage> {
        let before = self.last.map_or(0, |last| last.commit);
        let missing = |at: usize| reach[at] > before && reach[at] > self.stored[at];
        if !(0..KEYSPACES).any(missing) {
            return None;
        }
        let stored = self.stored_record.filter(|stored| self.last.is_none() && stored.commit < next);
        let known = self.last.or(stored);
        let first = known.map_or(1, |known| known.commit + 1);
        let notifications = next_seq.saturating_sub(known.map_or(1, |known| known.next));
        Some(Damage::Commits { first, last: next - 1, notifications })
    }

    /// Compares the end with the marker, and returns the result.
    pub(super) fn finish(mut self, found: &mut Found) {
        let last = self.last.map_or(0, |last| last.commit);
        let ahead = self.marked.filter(|marked| marked.commit > last);
        if let Some(marked) = ahead {
            let stored = self.stored_record.map_or(0, |stored| stored.commit);
            let rest = Damage::Commits { first: stored.max(last) + 1, last: marked.commit, notifications: 0 };
            let missing = self.hole(marked.reach, marked.commit + 1, marked.next);
            self.damage.extend(missing.or_else(|| (stored < marked.commit).then_some(rest)));
        }
        let durable = self.marked.map_or(0, |marked| marked.commit);
        let mut last = self.last;
        for Break { path, at, end, expected, durable: followed, before, missing } in self.breaks {
            let bytes = (end - at) as u64;
            if followed || expected <= durable || self.marked.is_none() {
                self.damage.push(Damage::Journal { path, at: at as u64, bytes });
                self.damage.extend(missing);
            } else if found.unfinished.is_none() {
                last = before;
                found.unfinished = Some((path, bytes));
            }
        }
        let latest = [last, self.stored_record].into_iter().flatten().max_by_key(|record| record.commit);
        found.position = latest.map_or(found.position, |record| record.position());
        found.batches = self.batches;
        found.damage.extend(self.damage);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::commit_position::CommitPosition;
    use super::super::journal::tests::{META_ID, synced_batch};
    use super::*;

    /// Checks `journals` when the commits up to `marked` were durable and the table files hold those up to
    /// `stored`.
    fn look(journals: &[Vec<u8>], stored: u64, marked: u64) -> Found {
        let reach = |commit| [commit, 0, 0, 0, 0];
        let record = CommitRecord {
            commit: stored,
            first: stored,
            next: stored + 1,
            synced: stored,
            base: 0,
            keyspaces: 1,
            before: reach(stored.saturating_sub(1)),
        };
        let durable = DurablePosition { commit: marked, next: marked + 1, reach: reach(marked) };
        let mut chain = Chain::new(reach(stored), (stored > 0).then_some(record), Some(durable));
        for (at, journal) in journals.iter().enumerate() {
            chain.follow(Path::new(&at.to_string()), journal, META_ID);
        }
        let (damage, names, journals, position) = (Vec::new(), Vec::new(), Vec::new(), CommitPosition::EMPTY);
        let mut found = Found { damage, position, names, journals, batches: 0, unfinished: None };
        chain.finish(&mut found);
        found
    }

    /// Commits, each made after the one before was synced.
    fn journal(commits: std::ops::RangeInclusive<u64>) -> Vec<u8> {
        commits.flat_map(|commit| synced_batch(commit, commit - 1)).collect()
    }

    fn torn(commit: u64) -> Vec<u8> {
        let mut bytes = synced_batch(commit, commit - 1);
        bytes.truncate(bytes.len() - 5);
        bytes
    }

    #[test]
    fn unfinished_commit_is_dropped_durable_one_missed() {
        let found = look(&[[journal(1..=3), torn(4)].concat()], 0, 3);
        assert_eq!((found.damage.len(), found.position.commit, found.unfinished.is_some()), (0, 3, true));
        assert!(!look(&[[journal(1..=3), torn(4)].concat()], 0, 4).damage.is_empty());
        assert!(!look(&[journal(1..=3)], 0, 4).damage.is_empty());
    }

    #[test]
    fn power_cut_loses_unsynced_commits_in_any_order() {
        // The marker is behind, and 4 and 5 were written without a sync: only 5 came to the disk.
        let unsynced = [journal(1..=3), torn(4), synced_batch(5, 3)].concat();
        let found = look(&[unsynced], 0, 2);
        assert_eq!((found.damage.clone(), found.position.commit), (vec![], 3), "{:?}", found.damage);
        // But if 4 was synced before 5 was made, it was damaged, whatever the marker says.
        let synced = [journal(1..=3), torn(4), synced_batch(5, 4)].concat();
        assert_eq!(look(&[synced], 0, 2).damage.len(), 2);
        // A journal is synced before the next one is begun.
        let next = [[journal(1..=3), torn(4)].concat(), synced_batch(5, 3)];
        assert!(!look(&next, 0, 2).damage.is_empty());
    }

    #[test]
    fn commits_outside_journals_must_be_in_tables() {
        for (stored, whole) in [(0, false), (3, false), (4, true), (9, true)] {
            assert_eq!(look(&[journal(5..=9)], stored, 9).damage.is_empty(), whole, "{stored}");
            let hole = [journal(1..=2), journal(5..=9)];
            assert_eq!(look(&hole, stored, 9).damage.is_empty(), whole, "{stored}");
            assert_eq!(look(&[Vec::new()], stored, 4).damage.is_empty(), whole, "{stored}");
        }
        let lost = Damage::Commits { first: 3, last: 4, notifications: 2 };
        assert_eq!(look(&[journal(1..=2), journal(5..=9)], 0, 9).damage, [lost]);
    }

    #[test]
    fn older_journal_behind_its_successor_is_refused() {
        assert!(!look(&[journal(1..=4), journal(3..=9)], 0, 9).damage.is_empty());
    }
}
