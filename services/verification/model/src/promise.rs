//! What must hold in every world.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Delivery;
use crate::machine::Task;
use crate::world::{Broken, Socket, World};

/// A promise of delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// (a) What was accepted and has not arrived is in the queue or in the mailbox, at any moment.
    NothingLost,
    /// (b) First deliveries are in sequence order.
    InOrder,
    /// (c) Between two arrivals of a notification over one connection there was a redelivery; so it arrives
    /// no oftener than once, and once more for each redelivery.
    NoNeedlessRepeat,
    /// (d) When all is quiet and somebody is there, everything has arrived.
    NothingStranded,
    /// When all is quiet, somebody is there and every ack is in, nothing is held any more.
    MailboxEmpties,
    /// Unless all is quiet, something can go on by itself, and all comes to rest.
    NoDeadlock,
    /// The cores give nothing that fits no world.
    Sense,
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
        Self::Sense,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NothingLost => "nothing-lost",
            Self::InOrder => "in-order",
            Self::NoNeedlessRepeat => "no-needless-repeat",
            Self::NothingStranded => "nothing-stranded",
            Self::MailboxEmpties => "mailbox-empties",
            Self::NoDeadlock => "no-deadlock",
            Self::Sense => "sense",
        }
    }

    /// Whether the world keeps it.
    pub fn holds(self, model: &Delivery, world: &World) -> bool {
        let quiet = || world.is_quiet() && world.somebody_is_there();
        match self {
            Self::NothingLost => {
                world.all().without(world.delivered).without(world.queued()).without(world.held).is_empty()
            }
            Self::InOrder => !matches!(world.broken, Some(Broken::Order { .. })),
            Self::NoNeedlessRepeat => !matches!(world.broken, Some(Broken::Repeated { .. })),
            Self::NothingStranded => !quiet() || world.all().without(world.delivered).is_empty(),
            Self::MailboxEmpties => !quiet() || mailbox_is_empty(model, world),
            Self::NoDeadlock => world.is_quiet() || world.broken.is_some() || goes_on(model, world),
            Self::Sense => !matches!(world.broken, Some(Broken::Nonsense(_))),
        }
    }

    /// The first promise that the world breaks.
    pub fn broken(model: &Delivery, world: &World) -> Option<Self> {
        Self::ALL.into_iter().find(|promise| !promise.holds(model, world))
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A row that a client which acknowledges was to get, and which it never acknowledged, stays for the next
/// such client; devices that don't acknowledge can't clear it.
fn mailbox_is_empty(model: &Delivery, world: &World) -> bool {
    let open = || world.connections.iter().filter(|connection| connection.socket == Socket::Open);
    let all_acks_are_in = open().all(|connection| connection.unacknowledged.is_empty());
    let acknowledging = || world.connections.iter().zip(&model.lives).filter(|(_, live)| live.acknowledges);
    let clearing = acknowledging().next().is_none()
        || acknowledging().any(|(connection, _)| connection.socket == Socket::Open);
    !(all_acks_are_in && clearing) || world.held.is_empty()
}

/// Whether something happens without anybody's doing: a service works, a handshake ends, time passes.
fn goes_on(model: &Delivery, world: &World) -> bool {
    let handshaking = || world.connections.iter().any(|connection| connection.socket == Socket::Handshaking);
    // What always can be done, without going through all that can.
    let works = match &world.dispatch {
        Some(dispatch) => dispatch.at.task != Task::Wait,
        None => !world.queue.is_empty(),
    };
    if works || world.replay.is_some() || handshaking() {
        return true;
    }
    let mut actions = Vec::new();
    model.enabled(world, &mut actions);
    actions.iter().any(|action| action.is_calm())
}
