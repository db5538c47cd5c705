//! The state machine of one replay.

use contract_notifications_v1::Sequence;

/// An action for the caller. The event that answers it is named with each command; [`Event::OutOfTime`]
/// answers any.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Read keys of the mailbox: [`Event::KeysRead`] or [`Event::Failed`].
    ReadKeys {
        /// Only keys after this one.
        after: Option<Sequence>,
        /// Approximate number of keys.
        limit: usize,
    },
    /// Send a replay entry for each sequence in one batch: [`Event::Sent`] or [`Event::Failed`].
    /// [`Sequence::MAX`] stands for everything held.
    Send(Vec<Sequence>),
    /// Wait before the next attempt, with exponential backoff: [`Event::Waited`].
    Wait {
        /// Number of failures before the latest one, from 0.
        attempt: u32,
    },
    /// Stop: the replay is over, with the number of entries sent if all were sent. Nothing answers this
    /// command.
    Finish(Result<usize, Unfinished>),
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Keys were read.
    KeysRead {
        /// The keys in ascending order.
        sequences: Vec<Sequence>,
        /// True if there may be further keys.
        more: bool,
    },
    /// A batch was sent.
    Sent {
        /// Indexes in the batch of the entries that were not accepted.
        failed: Vec<usize>,
    },
    /// The command failed as a whole.
    Failed {
        /// True if a later attempt may succeed.
        retryable: bool,
    },
    /// The wait is over.
    Waited,
    /// The deadline has passed.
    OutOfTime,
}

/// Reasons for ending a replay before all entries were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The deadline passed.
    OutOfTime,
    /// A port returned a permanent error.
    Refused,
}

/// Result of a replay that ended before all entries were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unfinished {
    /// Number of entries sent.
    pub requeued: usize,
    /// The reason.
    pub cause: Cause,
}

/// The state of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Reading,
    Sending,
    Waiting,
    Done(Result<usize, Unfinished>),
}

/// One replay of one mailbox.
///
/// The machine sends at most one batch of entries, whatever is held. It reads keys page by page, and each page
/// becomes one entry, which covers the rows up to the page's last key. The last entry of a full batch covers
/// everything that was not read: its run delivers a page and queues one entry for the rest. If entries of the
/// batch fail, the machine sends only those again, until they are accepted or the deadline passes.
///
/// [`Machine::command`] returns the command to carry out, and [`Machine::handle`] takes the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    page_size: usize,
    /// Maximum number of pages to read.
    max_pages: usize,
    phase: Phase,
    /// The last key of each page read, in ascending order.
    pages: Vec<Sequence>,
    /// The entries to send. Empty while reading.
    batch: Vec<Sequence>,
    /// Number of failures since the last page or batch that succeeded.
    attempt: u32,
    /// Number of entries sent.
    requeued: usize,
}

impl Machine {
    /// Starts a replay that reads `page_size` keys at once and sends at most `batch_len` entries. Zero counts
    /// as one.
    pub fn new(page_size: usize, batch_len: usize) -> Self {
        Self {
            page_size: page_size.max(1),
            max_pages: batch_len.saturating_sub(1),
            phase: Phase::Reading,
            pages: Vec::new(),
            batch: Vec::new(),
            attempt: 0,
            requeued: 0,
        }
    }

    /// Returns the command to carry out. It stays the same until an event answers it.
    pub fn command(&self) -> Command {
        match self.phase {
            Phase::Reading => Command::ReadKeys { after: self.pages.last().copied(), limit: self.page_size },
            Phase::Sending => Command::Send(self.batch.clone()),
            Phase::Waiting => Command::Wait { attempt: self.attempt },
            Phase::Done(outcome) => Command::Finish(outcome),
        }
    }

    /// Takes the answer to the current command. Any other event changes nothing.
    pub fn handle(&mut self, event: Event) {
        match (self.phase, event) {
            (Phase::Reading | Phase::Sending | Phase::Waiting, Event::OutOfTime) => {
                self.abort(Cause::OutOfTime);
            }
            (Phase::Reading | Phase::Sending, Event::Failed { retryable: false }) => {
                self.abort(Cause::Refused);
            }
            (Phase::Reading | Phase::Sending, Event::Failed { retryable: true }) => {
                self.phase = Phase::Waiting;
            }
            (Phase::Reading, Event::KeysRead { sequences, more }) => self.read(&sequences, more),
            (Phase::Sending, Event::Sent { failed }) => self.sent(&failed),
            (Phase::Waiting, Event::Waited) => {
                self.attempt = self.attempt.saturating_add(1);
                self.phase = if self.batch.is_empty() { Phase::Reading } else { Phase::Sending };
            }
            _ => {}
        }
    }

    fn abort(&mut self, cause: Cause) {
        self.phase = Phase::Done(Err(Unfinished { requeued: self.requeued, cause }));
    }

    fn read(&mut self, sequences: &[Sequence], more: bool) {
        // A correct adapter returns only new keys. With a wrong one the replay must still end.
        let after = self.pages.last();
        let last = sequences.iter().filter(|key| after.is_none_or(|after| *key > after)).max();
        match last {
            Some(last) => self.pages.push(*last),
            // An empty page that is not the last gives no key to read after, so the page is read again.
            None if more => {
                self.phase = Phase::Waiting;
                return;
            }
            None => {}
        }
        self.attempt = 0;
        if more && self.pages.len() < self.max_pages {
            return;
        }
        self.batch.clone_from(&self.pages);
        if more {
            self.batch.truncate(self.max_pages);
            self.batch.push(Sequence::MAX);
        }
        self.send_rest();
    }

    fn sent(&mut self, failed: &[usize]) {
        let before = self.batch.len();
        let mut position = 0..;
        self.batch.retain(|_| position.next().is_some_and(|position| failed.contains(&position)));
        self.requeued += before - self.batch.len();
        if self.batch.is_empty() {
            self.send_rest();
        } else {
            self.phase = Phase::Waiting;
        }
    }

    /// Sends the entries of the batch that are left, or ends the replay.
    fn send_rest(&mut self) {
        self.phase = if self.batch.is_empty() { Phase::Done(Ok(self.requeued)) } else { Phase::Sending };
    }
}

#[cfg(test)]
mod tests;
