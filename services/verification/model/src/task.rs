//! The dispatcher's commands and their results in the model's numbers.

use contract_notifications_v1::Sequence;
use dispatcher::core::run::{Command, Outcome, PushReport};

use crate::ids::{connection_index, number};
use crate::set::Set;

/// A command of the dispatcher's machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Task {
    /// List the user's connections.
    List,
    /// Read held rows.
    Read {
        /// Only rows after this one.
        after: u8,
        /// Only rows up to and including this one.
        up_to: u8,
        /// Only rows that at least one of these connections has not been pushed.
        due_for: Set,
        /// Most rows of the page.
        limit: usize,
    },
    /// Write rows, with the connections to which they are about to be pushed.
    Put(Vec<(u8, Set)>),
    /// Delete rows.
    Delete(Vec<u8>),
    /// Add connections to the `pushedTo` of rows.
    Mark(Vec<(u8, Set)>),
    /// Delete the rows of connections that are gone.
    Forget(Set),
    /// Push frames, to all connections at the same time.
    Push(Vec<PushRequest>),
    /// Wait before the next attempt to push.
    Wait,
    /// Queue a replay of everything held up to this notification.
    Enqueue(u8),
    /// Have a replay of the whole mailbox queued later.
    Schedule,
    /// End the run. Entries with `true` are done, the others are to be delivered again.
    Finish(Vec<bool>),
}

/// Frames for one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PushRequest {
    /// The connection.
    pub connection: u8,
    /// The notifications of each frame.
    pub frames: Vec<Vec<u8>>,
}

/// The result of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// The connections found.
    Listed(Set),
    /// The rows read with their `pushedTo`, and true if there are more.
    Page(Vec<(u8, Set)>, bool),
    /// The task succeeded.
    Done,
    /// The result of each push order.
    Pushed(Vec<PushReport>),
    /// The wait is over.
    Waited,
    /// The run has no time left.
    OutOfTime,
    /// The task failed.
    Failed,
}

impl Task {
    /// Translates a command of the real machine.
    pub(crate) fn of(command: &Command<()>) -> Self {
        let set = |ids: &dispatcher::core::ConnectionSet| ids.iter().map(connection_index).collect::<Set>();
        let numbers = |rows: &[Sequence]| rows.iter().map(|row| number(*row)).collect();
        match command {
            Command::ListConnections => Self::List,
            Command::ReadPage { after, up_to, due_for, limit } => Self::Read {
                after: after.map_or(0, number),
                up_to: number(*up_to),
                due_for: due_for.iter().map(connection_index).collect(),
                limit: *limit,
            },
            Command::Put(rows) => {
                Self::Put(rows.iter().map(|row| (number(row.item.sequence), set(&row.pushed_to))).collect())
            }
            Command::Delete(rows) => Self::Delete(numbers(rows)),
            Command::Mark(rows) => {
                Self::Mark(rows.iter().map(|(row, ids)| (number(*row), set(ids))).collect())
            }
            Command::Forget(gone) => Self::Forget(gone.iter().map(|c| connection_index(&c.id)).collect()),
            Command::Push(orders) => {
                let order = |order: &dispatcher::core::run::PushRequest<()>| PushRequest {
                    connection: connection_index(&order.connection),
                    frames: order
                        .frames
                        .iter()
                        .map(|frame| frame.items.iter().map(|i| number(i.item.sequence)).collect())
                        .collect(),
                };
                Self::Push(orders.iter().map(order).collect())
            }
            Command::Wait { .. } => Self::Wait,
            Command::EnqueueReplay(up_to) => Self::Enqueue(number(*up_to)),
            Command::ScheduleReplay => Self::Schedule,
            Command::Finish(report) => {
                Self::Finish(report.outcomes.iter().map(|outcome| *outcome == Outcome::Done).collect())
            }
        }
    }

    /// Number of steps that the task takes: one for each row of a write. The rows of connections that are
    /// gone are deleted in one step, because `$disconnect` can delete any of them at any time.
    pub fn steps(&self) -> usize {
        match self {
            Self::Put(rows) | Self::Mark(rows) => rows.len(),
            Self::Delete(rows) => rows.len(),
            _ => 1,
        }
    }
}
