//! How much of the world is explored, and what is left out of the rules.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use dispatcher::core::run::Limits;

use crate::rule::Rule;

/// One device of the user: it connects at most once. Devices connect in the order of the scope, so that
/// worlds that differ in the devices' names alone are explored once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Whether its client acknowledges.
    pub acknowledges: bool,
    /// How it wants its notifications.
    pub format: FrameFormat,
}

/// How often each sort of trouble may happen. What has none left does not happen any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Faults {
    /// The dispatcher or the replayer ends between any two of its steps.
    pub crashes: u8,
    /// A push fails, with or without having had its effect, and says that trying again may help.
    pub push_errors: u8,
    /// A table or the queue fails, with or without having done what it was asked for.
    pub port_failures: u8,
    /// The dispatcher's or the replayer's time is up.
    pub timeouts: u8,
    /// A stream record is delivered once more.
    pub repeats: u8,
}

/// The bounds of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// What it is called.
    pub name: &'static str,
    /// How many notifications producers may send, at most 7.
    pub notifications: u8,
    /// The user's devices, at most 4.
    pub devices: &'static [Device],
    /// Most entries received at once.
    pub batch: u8,
    /// The dispatcher's limits, but for the grace.
    pub limits: Limits,
    /// Keys the replayer reads at once.
    pub replay_page: u8,
    /// Entries the replayer sends at once.
    pub replay_batch: u8,
    /// What may go wrong.
    pub faults: Faults,
    /// Whether the rows of one write are written last first.
    pub backwards: bool,
    /// Whether steps that may as well come at once do: see `reduce.rs`. Without it the same is
    /// explored with more states.
    pub reduced: bool,
    /// Whether worlds that differ in the names of connections alone are explored once: see
    /// `symmetry.rs`.
    pub symmetric: bool,
}

/// The grace of every model run. Only "over" or "not over" matters: see `World::now`.
pub const GRACE: Duration = Duration::from_millis(100);

/// A device that does not acknowledge and gets one notification per frame.
const PUSH: Device = Device { acknowledges: false, format: FrameFormat::Single };
/// A device that acknowledges and gets one notification per frame.
const ACK: Device = Device { acknowledges: true, format: FrameFormat::Single };
/// A device that acknowledges and gets what waits together in one frame.
const BATCH: Device = Device { acknowledges: true, format: FrameFormat::Batch };

const NO_FAULTS: Faults = Faults { crashes: 0, push_errors: 0, port_failures: 0, timeouts: 0, repeats: 0 };
const ONE_CRASH: Faults = Faults { crashes: 1, ..NO_FAULTS };

/// Limits small enough to be reached: more than one held row is not drained inline.
const LIMITS: Limits = Limits {
    inline_drain: 1,
    replay_drain: 2,
    page: 2,
    grace: GRACE,
    batch_bytes: 2,
    drop_hold: Duration::from_secs(1),
};

const BASE: Scope = Scope {
    name: "",
    notifications: 1,
    devices: &[PUSH],
    batch: 2,
    limits: LIMITS,
    replay_page: 2,
    replay_batch: 2,
    faults: ONE_CRASH,
    backwards: false,
    reduced: true,
    symmetric: true,
};

/// Every sort of trouble once, but for a crash.
const TROUBLE: Faults = Faults { crashes: 0, push_errors: 1, port_failures: 1, timeouts: 1, repeats: 1 };

/// What is explored before a change lands: a few minutes on two cores.
pub const QUICK: &[Scope] = &[
    Scope { name: "push-3n-1d", notifications: 3, ..BASE },
    Scope { name: "push-2n-2d", notifications: 2, devices: &[PUSH, PUSH], ..BASE },
    Scope { name: "push-3n-2d", notifications: 3, devices: &[PUSH, PUSH], ..BASE },
    Scope { name: "push-1n-3d", devices: &[PUSH, PUSH, PUSH], ..BASE },
    Scope { name: "push-2n-1d-trouble", notifications: 2, faults: TROUBLE, ..BASE },
    Scope { name: "ack-3n-1d", notifications: 3, devices: &[ACK], ..BASE },
    Scope { name: "ack-2n-1d-batch", notifications: 2, devices: &[BATCH], backwards: true, ..BASE },
    Scope { name: "ack-1n-2d", devices: &[ACK, ACK], ..BASE },
    Scope { name: "ack-1n-1d-trouble", devices: &[ACK], faults: TROUBLE, ..BASE },
    Scope { name: "ack-2n-2d-no-crash", notifications: 2, devices: &[ACK, ACK], faults: NO_FAULTS, ..BASE },
    Scope { name: "mixed-1n-2d", devices: &[ACK, PUSH], ..BASE },
    Scope { name: "mixed-1n-2d-push-first", devices: &[PUSH, ACK], ..BASE },
    Scope {
        name: "mixed-2n-2d-no-crash",
        notifications: 2,
        devices: &[ACK, PUSH],
        faults: NO_FAULTS,
        ..BASE
    },
];

/// What is explored besides with `--deep`, as far as the bound on steps allows.
pub const DEEP: &[Scope] = &[
    Scope {
        name: "push-2n-1d-crash-and-trouble",
        notifications: 2,
        faults: Faults { crashes: 1, ..TROUBLE },
        ..BASE
    },
    Scope { name: "mixed-2n-2d", notifications: 2, devices: &[ACK, PUSH], ..BASE },
    Scope { name: "ack-2n-2d", notifications: 2, devices: &[ACK, ACK], ..BASE },
    Scope { name: "push-2n-3d", notifications: 2, devices: &[PUSH, PUSH, PUSH], ..BASE },
    Scope { name: "push-3n-3d", notifications: 3, devices: &[PUSH, PUSH, PUSH], ..BASE },
];

/// Scopes of a second or two, for tests.
pub const SMALL: &[Scope] = &[
    Scope { name: "push-2n-1d", notifications: 2, ..BASE },
    Scope { name: "push-1n-2d", devices: &[PUSH, PUSH], ..BASE },
    Scope { name: "push-1n-1d-trouble", faults: TROUBLE, ..BASE },
    Scope { name: "ack-1n-1d", devices: &[ACK], ..BASE },
    Scope {
        name: "push-2n-1d-large-page",
        notifications: 2,
        limits: Limits { replay_drain: 1, page: 3, ..LIMITS },
        ..BASE
    },
    Scope { name: "mixed-1n-2d-no-crash", devices: &[PUSH, ACK], faults: NO_FAULTS, ..BASE },
];

/// Scopes in which a rule that is left out is missed.
const MISSED: &[Scope] = &[
    Scope { name: "push-2n-1d-no-crash", notifications: 2, faults: NO_FAULTS, ..BASE },
    Scope { name: "push-1n-1d-no-crash", faults: NO_FAULTS, ..BASE },
    Scope { name: "ack-1n-2d-no-crash", devices: &[ACK, ACK], faults: NO_FAULTS, ..BASE },
    Scope { name: "ack-2n-1d-no-crash", notifications: 2, devices: &[ACK], faults: NO_FAULTS, ..BASE },
    Scope { name: "push-2n-1d-late", notifications: 2, faults: Faults { timeouts: 1, ..NO_FAULTS }, ..BASE },
    Scope { name: "push-1n-1d-late", faults: Faults { timeouts: 1, ..NO_FAULTS }, ..BASE },
    Scope { name: "push-1n-2d-no-crash", devices: &[PUSH, PUSH], faults: NO_FAULTS, ..BASE },
    Scope { name: "push-1n-3d-no-crash", devices: &[PUSH, PUSH, PUSH], faults: NO_FAULTS, ..BASE },
];

/// A scope by its name.
pub fn named(name: &str) -> Option<Scope> {
    [QUICK, DEEP, SMALL, MISSED].concat().into_iter().find(|scope| scope.name == name)
}

/// The name of a small scope in which the rule, if any promise needs it, is missed when it is left out.
pub const fn missing(rule: Rule) -> &'static str {
    match rule {
        Rule::DrainFirst | Rule::QueueReplayWhenDeferred => "push-2n-1d-no-crash",
        Rule::LookAgainAfterStoring | Rule::HandshakeGrace | Rule::ReadConsistently => "push-1n-1d-no-crash",
        Rule::WriteAhead
        | Rule::PerConnection
        | Rule::LookAgainBeforeFinishing
        | Rule::LookAgainAfterMarking => "ack-1n-2d-no-crash",
        Rule::WriteBeforePush | Rule::MarkOnlyIfThere => "ack-2n-1d-no-crash",
        Rule::MarkAfterPush => "ack-1n-1d",
        Rule::ReportFailedReplay | Rule::FailureStopsThatUserOnly => "push-1n-1d-late",
        Rule::RetryTheRest | Rule::FailureKeepsItsPlace => "push-2n-1d-late",
        Rule::OneRunAtATime => "push-2n-1d",
    }
}
