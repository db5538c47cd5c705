//! What a replay does, step by step.

use std::collections::{BTreeSet, VecDeque};

use contract_notifications_v1::Sequence;

/// What is to be done next. Each is answered by an [`Event`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Read keys of the mailbox: answered by [`Event::KeysRead`] or [`Event::Failed`].
    ReadKeys {
        /// Only keys after this one.
        after: Option<Sequence>,
        /// About this many.
        limit: usize,
    },
    /// Send a replay entry for each: answered by [`Event::Sent`] or [`Event::Failed`].
    Send(Vec<Sequence>),
    /// Back off: answered by [`Event::Waited`].
    Wait {
        /// How many failures came before the one that is waited for: 0 at first.
        attempt: u32,
    },
    /// The replay is over, with the number of entries sent if every one was. Nothing answers it.
    Finish(Result<usize, Unfinished>),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Keys were read.
    KeysRead {
        /// The keys, ascending.
        sequences: Vec<Sequence>,
        /// Whether there may be further ones.
        more: bool,
    },
    /// A batch was sent.
    Sent {
        /// Positions in it of the entries that were not accepted.
        failed: Vec<usize>,
    },
    /// What was asked for failed as a whole.
    Failed {
        /// Whether trying again may succeed.
        retryable: bool,
    },
    /// The wait is over.
    Waited,
    /// Time is up: answers any command.
    OutOfTime,
}

/// Why a replay ended before every entry was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Time was up.
    OutOfTime,
    /// A port refused for good.
    Refused,
}

/// A replay that ended before every entry was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unfinished {
    /// How many entries were sent.
    pub requeued: usize,
    /// Why it ended.
    pub cause: Cause,
}

/// What the machine is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Reading,
    Sending,
    Waiting,
    Done(Result<usize, Unfinished>),
}

/// One replay of one mailbox. It reads keys page by page, sends an entry for each in ascending order, and
/// sends a batch's failed entries, alone, until they are accepted or time is up.
///
/// [`Machine::command`] says what to do; [`Machine::handle`] takes what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    page_size: usize,
    batch_len: usize,
    phase: Phase,
    /// The last key read.
    after: Option<Sequence>,
    /// Whether there may be keys after it.
    more: bool,
    /// Keys read whose entries were not yet sent, less those in `batch`.
    keys: VecDeque<Sequence>,
    /// Keys whose entries are being sent; empty while reading.
    batch: Vec<Sequence>,
    /// Failures since the last page or batch that succeeded.
    attempt: u32,
    /// Entries sent.
    requeued: usize,
}

impl Machine {
    /// A replay that reads `page_size` keys and sends `batch_len` entries at once. Zero counts as one.
    pub fn new(page_size: usize, batch_len: usize) -> Self {
        Self {
            page_size: page_size.max(1),
            batch_len: batch_len.max(1),
            phase: Phase::Reading,
            after: None,
            more: true,
            keys: VecDeque::new(),
            batch: Vec::new(),
            attempt: 0,
            requeued: 0,
        }
    }

    /// What is to be done. The same until an event answers it.
    pub fn command(&self) -> Command {
        match self.phase {
            Phase::Reading => Command::ReadKeys { after: self.after, limit: self.page_size },
            Phase::Sending => Command::Send(self.batch.clone()),
            Phase::Waiting => Command::Wait { attempt: self.attempt },
            Phase::Done(outcome) => Command::Finish(outcome),
        }
    }

    /// Takes an event. One that does not answer the present command changes nothing.
    pub fn handle(&mut self, event: Event) {
        match (self.phase, event) {
            (Phase::Reading | Phase::Sending | Phase::Waiting, Event::OutOfTime) => {
                self.give_up(Cause::OutOfTime);
            }
            (Phase::Reading | Phase::Sending, Event::Failed { retryable: false }) => {
                self.give_up(Cause::Refused);
            }
            (Phase::Reading | Phase::Sending, Event::Failed { retryable: true }) => {
                self.phase = Phase::Waiting;
            }
            (Phase::Reading, Event::KeysRead { sequences, more }) => self.read(sequences, more),
            (Phase::Sending, Event::Sent { failed }) => self.sent(&failed),
            (Phase::Waiting, Event::Waited) => {
                self.attempt = self.attempt.saturating_add(1);
                self.phase = if self.batch.is_empty() { Phase::Reading } else { Phase::Sending };
            }
            _ => {}
        }
    }

    fn give_up(&mut self, cause: Cause) {
        self.phase = Phase::Done(Err(Unfinished { requeued: self.requeued, cause }));
    }

    fn read(&mut self, sequences: Vec<Sequence>, more: bool) {
        // What a correct adapter gives anyway; so a wrong one can't make the replay go round in circles.
        let new: BTreeSet<_> =
            sequences.into_iter().filter(|key| self.after.is_none_or(|after| *key > after)).collect();
        match new.last() {
            Some(last) => self.after = Some(*last),
            // Nothing could be asked for after such a page. It is not the end, so it is read again.
            None if more => {
                self.phase = Phase::Waiting;
                return;
            }
            None => {}
        }
        self.attempt = 0;
        self.more = more;
        self.keys.extend(new);
        self.advance();
    }

    fn sent(&mut self, failed: &[usize]) {
        let batch = std::mem::take(&mut self.batch);
        let sent = batch.len();
        let left = batch.into_iter().enumerate().filter(|(position, _)| failed.contains(position));
        self.batch = left.map(|(_, key)| key).collect();
        self.requeued += sent - self.batch.len();
        if self.batch.is_empty() {
            self.attempt = 0;
            self.advance();
        } else {
            self.phase = Phase::Waiting;
        }
    }

    /// Goes on to the next batch, page, or end.
    fn advance(&mut self) {
        let len = self.batch_len.min(self.keys.len());
        self.batch.extend(self.keys.drain(..len));
        self.phase = if !self.batch.is_empty() {
            Phase::Sending
        } else if self.more {
            Phase::Reading
        } else {
            Phase::Done(Ok(self.requeued))
        };
    }
}

#[cfg(test)]
mod tests;
