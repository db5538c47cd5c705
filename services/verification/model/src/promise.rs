//! The promises of delivery, as properties of states.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Delivery;
use crate::state::{Socket, State, Violation};
use crate::task::Task;

/// A promise of delivery. The letters are those of docs/explanation/delivery.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// (a) An accepted notification that has not arrived is in the queue or in the mailbox, at any moment.
    NothingLost,
    /// (b) First deliveries are in sequence order.
    InOrder,
    /// (c) A notification arrives on a connection again only after a redelivery, at most once for each.
    NoNeedlessRepeat,
    /// (d) In a quiet state with an open connection, everything has arrived.
    NothingStranded,
    /// (d) In a quiet state with an open connection and every ack taken, nothing is held any more.
    MailboxEmpties,
    /// A state that is not quiet has a spontaneous action, and such actions lead to a quiet state.
    NoDeadlock,
    /// The cores give valid results only.
    ValidOutput,
}

impl Promise {
    /// Every promise.
    pub const ALL: [Self; 7] = [
        Self::NothingLost,
        Self::InOrder,
        Self::NoNeedlessRepeat,
        Self::NothingStranded,
        Self::MailboxEmpties,
        Self::NoDeadlock,
        Self::ValidOutput,
    ];

    /// The promise's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NothingLost => "nothing-lost",
            Self::InOrder => "in-order",
            Self::NoNeedlessRepeat => "no-needless-repeat",
            Self::NothingStranded => "nothing-stranded",
            Self::MailboxEmpties => "mailbox-empties",
            Self::NoDeadlock => "no-deadlock",
            Self::ValidOutput => "valid-output",
        }
    }

    /// True if the state keeps the promise.
    pub fn holds(self, model: &Delivery, state: &State) -> bool {
        let is_served = || state.is_quiet() && state.has_open_connection();
        match self {
            Self::NothingLost => {
                state.all().without(state.delivered).without(state.queued()).without(state.held).is_empty()
            }
            Self::InOrder => !matches!(state.violation, Some(Violation::Order { .. })),
            Self::NoNeedlessRepeat => !matches!(state.violation, Some(Violation::Repeated { .. })),
            Self::NothingStranded => !is_served() || state.all().without(state.delivered).is_empty(),
            Self::MailboxEmpties => !is_served() || has_no_leftover(model, state),
            Self::NoDeadlock => {
                state.is_quiet() || state.violation.is_some() || has_spontaneous_action(model, state)
            }
            Self::ValidOutput => !matches!(state.violation, Some(Violation::InvalidOutput(_))),
        }
    }

    /// The first promise that the state breaks.
    pub fn broken(model: &Delivery, state: &State) -> Option<Self> {
        Self::ALL.into_iter().find(|promise| !promise.holds(model, state))
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// True if the mailbox has no row that it should not have.
///
/// A row pushed to an acknowledging client that never acknowledged it stays for the next such client, because
/// devices that don't acknowledge can't clear it.
fn has_no_leftover(model: &Delivery, state: &State) -> bool {
    let open = || state.connections.iter().filter(|connection| connection.socket == Socket::Open);
    let all_acks_are_in = open().all(|connection| connection.unacknowledged.is_empty());
    let acknowledging = || state.connections.iter().zip(&model.live).filter(|(_, live)| live.acknowledges);
    let can_be_cleared = acknowledging().next().is_none()
        || acknowledging().any(|(connection, _)| connection.socket == Socket::Open);
    !(all_acks_are_in && can_be_cleared) || state.held.is_empty()
}

/// True if something happens by itself: a service works, a handshake ends, or time passes.
fn has_spontaneous_action(model: &Delivery, state: &State) -> bool {
    let handshaking = || state.connections.iter().any(|connection| connection.socket == Socket::Handshaking);
    // Steps that are always possible, found without computing all enabled actions.
    let is_working = match &state.dispatcher {
        Some(run) => run.machine.task != Task::Wait,
        None => !state.queue.is_empty(),
    };
    if is_working || state.replayer.is_some() || handshaking() {
        return true;
    }
    let mut actions = Vec::new();
    model.enabled(state, &mut actions);
    actions.iter().any(|action| action.is_spontaneous())
}
