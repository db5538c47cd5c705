//! Reads mailboxes: pages of rows, and their keys.
//!
//! A mailbox is read from two sources. Memory knows the held rows before `known_to`, and to which connections
//! each was pushed; the disk has their notifications, and all rows from there on. Memory alone has the held
//! notifications that have no row. The user's shard is not locked while the disk is read, so what was read is
//! remembered only if the user's `epoch` is still the same.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::{Notification, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{MailboxRow, Page, PageQuery};
use replayer::ports::KeyPage;
use shared_ports::Clock;

use super::codec::{Seq, decode, seq, sequence};
use super::core::Core;
use super::dead_letters;
use super::engine::Engine;
use super::error::StoreError;

/// Most rows of a user that memory knows. For those beyond, each page reads the disk again.
const MOST_KNOWN: usize = 4_096;

/// The part of a page that memory knows.
struct Known {
    /// Known rows of the page, with the connections to which each was pushed. Of those before `complete_to`, only
    /// as many of the first due ones as were asked for.
    rows: Vec<(Seq, ConnectionSet)>,
    /// Notifications in the mailbox that memory has: those without a row, then those that are queued too. Only
    /// as many of the first due ones as were asked for.
    in_memory: Vec<Row>,
    /// Notifications in memory that the disk may have too.
    perhaps_rows: Vec<Seq>,
    /// First sequence for which the disk has to be read.
    complete_to: Seq,
    /// First sequence that is queued or not published yet. Rows before it are held.
    end: Seq,
    /// Rows whose deletion is under way, in ascending order.
    deleting: Vec<Seq>,
    epoch: u64,
}

/// A row with its sequence and the connections to which it was pushed.
type Row = (Seq, Arc<Notification>, ConnectionSet);

fn mailbox_row((seq, notification, to): Row) -> MailboxRow {
    MailboxRow { sequence: sequence(seq), notification, pushed_to: to }
}

impl Known {
    /// Returns the first and the last sequence of a page for which the disk has to be read.
    fn unknown(&self, query: &PageQuery) -> (Seq, Seq) {
        let after = query.after.map_or(0, |after| seq(after).saturating_add(1));
        (self.complete_to.max(after), seq(query.up_to).min(self.end.saturating_sub(1)))
    }

    /// Returns true if the row is deleted, whatever the disk says.
    fn is_deleting(&self, seq: Seq) -> bool {
        self.deleting.binary_search(&seq).is_ok()
    }

    /// Returns true if a page has rows that only the disk has.
    fn needs_disk(&self, query: &PageQuery) -> bool {
        let boundary = self.complete_to.min(self.end);
        let (from, last) = self.unknown(query);
        from <= last || self.rows.iter().any(|(seq, _)| *seq < boundary)
    }
}

impl<K: Clock> Core<K> {
    /// Returns what memory knows of the first `most` rows that are due for at least one of the connections `due_for`,
    /// or of all rows if it is `None`.
    fn known(
        &self,
        user: &UserId,
        after: Option<Seq>,
        up_to: Seq,
        due_for: Option<&[ConnectionId]>,
        most: usize,
    ) -> Known {
        // Loaded before the shard is locked: everything published by now is in the queue, or completed.
        let published = self.published.load(Ordering::Acquire);
        let first = after.map_or(0, |after| after.saturating_add(1));
        self.with_user(user, |state| {
            if due_for.is_some() {
                state.paged();
            }
            let end = state.first_queued().map_or(published, |queued| queued.min(published));
            let due = |to: &ConnectionSet| due_for.is_none_or(|due_for| is_due(due_for, to));
            let range = first..=up_to;
            let (mut rows, mut in_memory, mut perhaps_rows) = (Vec::new(), Vec::new(), Vec::new());
            if first <= up_to {
                let after_last = up_to.saturating_add(1);
                let boundary = state.known_to.clamp(first, after_last);
                let known = state.rows.range(first..boundary).filter(|(_, to)| due(to));
                let noted = state.rows.range(boundary..after_last);
                rows = known.take(most).chain(noted).map(|(seq, to)| (*seq, to.clone())).collect();
                let without_row = state.held_pending.range(range.clone());
                let queued = state.held_entries().filter(|queued| range.contains(&queued.seq));
                for queued in without_row.chain(queued) {
                    if queued.perhaps_row {
                        perhaps_rows.push(queued.seq);
                    }
                    if in_memory.len() < most && due(&queued.pushed_to) {
                        let notification = Arc::clone(&queued.notification);
                        in_memory.push((queued.seq, notification, queued.pushed_to.clone()));
                    }
                }
            }
            Known {
                rows,
                in_memory,
                perhaps_rows,
                complete_to: state.known_to,
                end,
                deleting: state.deleting(),
                epoch: state.epoch,
            }
        })
    }

    /// Returns a page if memory knows all of it.
    pub(super) fn page_in_memory(&self, user: &UserId, query: &PageQuery) -> Option<Page> {
        let limit = query.limit.max(1);
        let (after, up_to) = (query.after.map(seq), seq(query.up_to));
        let known = self.known(user, after, up_to, Some(&query.due_for), limit + 1);
        if known.needs_disk(query) {
            return None;
        }
        let mut rows = known.in_memory;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Some(Page { rows: rows.into_iter().map(mailbox_row).collect(), more })
    }

    pub(super) fn page(&self, user: &UserId, query: &PageQuery) -> Result<Page, StoreError> {
        let limit = query.limit.max(1);
        let (after, up_to) = (query.after.map(seq), seq(query.up_to));
        loop {
            let known = self.known(user, after, up_to, Some(&query.due_for), limit + 1);
            let mut reading = Reading { core: self, user, query, most: limit + 1, read: Read::default() };
            reading.read(&known)?;
            let Read { mut rows, capped, learned, bad, gone, leftover } = reading.read;
            self.held.remove(bad.len() + leftover.len());
            self.learn(user, known.epoch, learned, bad, [gone, leftover].concat());
            if capped && rows.len() <= limit {
                // Some of the rows that memory knew are not on disk. They are forgotten now, so read the next
                // ones.
                continue;
            }
            if !known.in_memory.is_empty() {
                rows.extend(known.in_memory);
                rows.sort_unstable_by_key(|(seq, ..)| *seq);
            }
            let more = rows.len() > limit;
            rows.truncate(limit);
            return Ok(Page { rows: rows.into_iter().map(mailbox_row).collect(), more });
        }
    }

    /// Remembers the rows that were read, unless the user's state has changed meanwhile. In any case turns
    /// unreadable rows into dead letters, and deletes the rows in `gone`.
    fn learn(
        &self,
        user: &UserId,
        epoch: u64,
        learned: Option<(Vec<Seq>, Seq)>,
        bad: Vec<(Seq, Vec<u8>)>,
        gone: Vec<Seq>,
    ) {
        if learned.is_none() && bad.is_empty() && gone.is_empty() {
            return;
        }
        self.with_user(user, |state| {
            let fits = |seen: &[Seq]| state.epoch == epoch && state.rows.len() + seen.len() <= MOST_KNOWN;
            if let Some((seen, known_to)) = learned.filter(|(seen, _)| fits(seen)) {
                for seq in seen {
                    state.rows.entry(seq).or_default();
                }
                state.known_to = known_to;
            }
            for (seq, _) in &bad {
                state.rows.remove(seq);
            }
            for seq in &gone {
                state.rows.remove(seq);
            }
            self.dead_letter_rows(user, state, bad);
            self.delete_later(user, state, gone);
        });
    }

    pub(super) fn keys(
        &self,
        user: &UserId,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<KeyPage, StoreError> {
        let known = self.known(user, after, Seq::MAX, None, limit + 1);
        let boundary = known.complete_to.min(known.end);
        let mut sequences: Vec<Seq> =
            known.rows.iter().map(|(seq, _)| *seq).filter(|seq| *seq < boundary).take(limit + 1).collect();
        let from = known.complete_to.max(after.map_or(0, |after| after.saturating_add(1)));
        if sequences.len() <= limit && from < known.end {
            for key in self.reader()?.scan_keys(user, from, known.end - 1) {
                let key = key?;
                if !known.is_deleting(key) && !known.perhaps_rows.contains(&key) {
                    sequences.push(key);
                    if sequences.len() > limit {
                        break;
                    }
                }
            }
        }
        if !known.in_memory.is_empty() {
            sequences.extend(known.in_memory.iter().map(|(seq, ..)| *seq));
            sequences.sort_unstable();
        }
        let more = sequences.len() > limit;
        sequences.truncate(limit);
        Ok(KeyPage { sequences: sequences.into_iter().map(sequence).collect(), more })
    }

    /// Returns the highest key of the mailbox.
    pub(super) fn last_key(&self, user: &UserId) -> Result<Option<Seq>, StoreError> {
        let known = self.known(user, None, Seq::MAX, None, usize::MAX);
        let in_memory = known.in_memory.last().map(|(seq, ..)| *seq);
        let from = known.complete_to.max(in_memory.map_or(0, |seq| seq.saturating_add(1)));
        if from < known.end {
            for key in self.reader()?.scan_keys(user, from, known.end - 1).rev() {
                let key = key?;
                if !known.is_deleting(key) {
                    return Ok(Some(key));
                }
            }
        }
        let boundary = known.complete_to.min(known.end);
        Ok(known.rows.iter().map(|(seq, _)| *seq).rfind(|seq| *seq < boundary).max(in_memory))
    }
}

/// Returns true if a row that was pushed to the connections `to` is due for at least one of `due_for`.
fn is_due(due_for: &[ConnectionId], to: &ConnectionSet) -> bool {
    due_for.iter().any(|id| !to.contains(id))
}

/// A page read from disk.
#[derive(Default)]
struct Read {
    rows: Vec<Row>,
    /// True if memory may know more due rows than were looked for.
    capped: bool,
    /// Rows of the mailbox, and the number up to which they are complete.
    learned: Option<(Vec<Seq>, Seq)>,
    /// Unreadable rows, each encoded as a dead letter.
    bad: Vec<(Seq, Vec<u8>)>,
    /// Rows that memory knew and that are not on disk.
    gone: Vec<Seq>,
    /// Rows of an earlier process that must not be held. They are deleted.
    leftover: Vec<Seq>,
}

/// The state of reading a page.
struct Reading<'a, K> {
    core: &'a Core<K>,
    user: &'a UserId,
    query: &'a PageQuery,
    /// Most rows to read: one more than the page has, which tells if there is a further page.
    most: usize,
    read: Read,
}

impl<K: Clock> Reading<'_, K> {
    fn is_due(&self, to: &ConnectionSet) -> bool {
        is_due(&self.query.due_for, to)
    }

    fn take(&mut self, seq: Seq, value: &[u8], to: ConnectionSet) {
        match decode(self.user, value) {
            Ok(notification) if self.core.is_leftover(seq, &notification) => self.read.leftover.push(seq),
            Ok(notification) => self.read.rows.push((seq, Arc::new(notification), to)),
            Err(reason) => {
                let letter =
                    dead_letters::encode(self.core.clock.now(), &reason.to_string(), self.user, value);
                self.read.bad.push((seq, letter));
            }
        }
    }

    fn read(&mut self, known: &Known) -> Result<(), StoreError> {
        let boundary = known.complete_to.min(known.end);
        let in_question = known.rows.iter().filter(|(seq, to)| *seq < boundary && self.is_due(to));
        let due: Vec<_> = in_question.take(self.most).collect();
        self.read.capped = due.len() == self.most;
        let (from, last) = known.unknown(self.query);
        let scan = !self.read.capped && from <= last;
        if due.is_empty() && !scan {
            return Ok(());
        }
        let engine = self.core.reader()?;
        self.read_known(&engine, &due)?;
        if scan { self.scan(&engine, known, from, last) } else { Ok(()) }
    }

    /// Reads rows by their sequences.
    fn read_known(&mut self, engine: &Engine, due: &[&(Seq, ConnectionSet)]) -> Result<(), StoreError> {
        let (Some((first, _)), Some((last, _))) = (due.first(), due.last()) else { return Ok(()) };
        let mut expected = due.iter();
        for row in engine.scan(self.user, *first, *last) {
            let (seq, value) = row?;
            while let Some((other, to)) = expected.as_slice().first().filter(|(other, _)| *other <= seq) {
                expected.next();
                if *other == seq {
                    self.take(seq, &value, to.clone());
                } else {
                    self.read.gone.push(*other);
                }
            }
        }
        self.read.gone.extend(expected.map(|(seq, _)| *seq));
        Ok(())
    }

    /// Reads unknown rows from `from` to `last`.
    fn scan(&mut self, engine: &Engine, known: &Known, from: Seq, last: Seq) -> Result<(), StoreError> {
        let mut seen = Vec::new();
        let mut known_to = if last < known.end.saturating_sub(1) { last + 1 } else { Seq::MAX };
        for row in engine.scan(self.user, from, last) {
            let (seq, value) = row?;
            if known.is_deleting(seq) || known.perhaps_rows.contains(&seq) {
                continue;
            }
            let at = known.rows.binary_search_by_key(&seq, |(seq, _)| *seq);
            let to = at.map_or_else(|_| ConnectionSet::new(), |at| known.rows[at].1.clone());
            let due = self.is_due(&to);
            if due {
                self.take(seq, &value, to);
            }
            seen.push(seq);
            if due && self.read.rows.len() == self.most {
                known_to = seq + 1;
                break;
            }
        }
        let learned = from == known.complete_to && seen.len() <= MOST_KNOWN;
        self.read.learned = learned.then_some((seen, known_to));
        Ok(())
    }
}
