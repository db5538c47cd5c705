//! Scopes: the bounds within which the model is explored.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use dispatcher::core::run::{Limits, SetAside};

use crate::rule::Rule;

/// A device of the user, which connects at most once. Devices connect in the order of the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// True if its client acknowledges.
    pub acknowledges: bool,
    /// The format of its frames.
    pub format: FrameFormat,
}

/// The number of times that each kind of fault may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Faults {
    /// Crashes of the dispatcher or the replayer, between any two steps.
    pub crashes: u8,
    /// Pushes that fail temporarily, with or without effect.
    pub push_errors: u8,
    /// Requests to a table or the queue that fail, with or without effect.
    pub port_failures: u8,
    /// Runs of the dispatcher or the replayer that run out of time.
    pub timeouts: u8,
    /// Stream records that are delivered again.
    pub repeats: u8,
    /// Runs of the dispatcher that are set aside, as after several failures.
    pub asides: u8,
}

/// The bounds of an exploration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The name.
    pub name: &'static str,
    /// Number of notifications that producers may send, at most 7.
    pub notifications: u8,
    /// The user's devices, at most 4.
    pub devices: &'static [Device],
    /// Most entries that a dispatcher receives at once.
    pub batch: u8,
    /// The dispatcher's limits. Leaving out a rule may change the grace.
    pub limits: Limits,
    /// Most keys that the replayer reads at once.
    pub replay_page: u8,
    /// Most entries that the replayer sends at once.
    pub replay_batch: u8,
    /// Notifications that runs set aside, unless they are set aside as a whole.
    pub set_aside: SetAside,
    /// The faults that may happen.
    pub faults: Faults,
    /// True if the rows of a write are written in reverse order.
    pub reversed_writes: bool,
    /// True if orders of steps that make no difference are explored once: see `reduce.rs`.
    pub reduced: bool,
    /// True if states that differ only in the names of connections are explored once: see `symmetry.rs`.
    pub symmetric: bool,
}

/// The grace of all scopes. Its length makes no difference, only whether it is over: see `State::now`.
pub const GRACE: Duration = Duration::from_millis(100);

/// A device that does not acknowledge, with one notification a frame.
const PUSH: Device = Device { acknowledges: false, format: FrameFormat::Single };
/// A device that acknowledges, with one notification a frame.
const ACK: Device = Device { acknowledges: true, format: FrameFormat::Single };
/// A device that acknowledges, with several notifications a frame.
const BATCH: Device = Device { acknowledges: true, format: FrameFormat::Batch };

const NO_FAULTS: Faults =
    Faults { crashes: 0, push_errors: 0, port_failures: 0, timeouts: 0, repeats: 0, asides: 0 };
const ONE_CRASH: Faults = Faults { crashes: 1, ..NO_FAULTS };
const ONE_ASIDE: Faults = Faults { asides: 1, ..NO_FAULTS };

/// Limits small enough to be reached: a run drains at most one held row inline.
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
    set_aside: SetAside::Never,
    faults: ONE_CRASH,
    reversed_writes: false,
    reduced: true,
    symmetric: true,
};

/// Pages of one row, so that two rows are more than the replayer reads and more than a run delivers.
const PAGES_OF_ONE: Scope =
    Scope { limits: Limits { replay_drain: 1, page: 1, ..LIMITS }, replay_page: 1, ..BASE };

/// Every kind of fault once, except a crash.
const FAULTS: Faults =
    Faults { crashes: 0, push_errors: 1, port_failures: 1, timeouts: 1, repeats: 1, asides: 0 };

/// Scopes that are explored before a change lands. They take a few minutes on two cores.
pub const QUICK: &[Scope] = &[
    Scope { name: "push-3n-1d", notifications: 3, ..BASE },
    Scope { name: "push-2n-2d", notifications: 2, devices: &[PUSH, PUSH], ..BASE },
    Scope { name: "push-3n-2d", notifications: 3, devices: &[PUSH, PUSH], ..BASE },
    Scope { name: "push-1n-3d", devices: &[PUSH, PUSH, PUSH], ..BASE },
    Scope { name: "push-2n-1d-faults", notifications: 2, faults: FAULTS, ..BASE },
    Scope { name: "ack-3n-1d", notifications: 3, devices: &[ACK], ..BASE },
    Scope { name: "ack-2n-1d-batch", notifications: 2, devices: &[BATCH], reversed_writes: true, ..BASE },
    Scope { name: "ack-1n-2d", devices: &[ACK, ACK], ..BASE },
    Scope { name: "ack-1n-1d-faults", devices: &[ACK], faults: FAULTS, ..BASE },
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
    Scope { name: "push-3n-1d-pages", notifications: 3, ..PAGES_OF_ONE },
    Scope { name: "ack-3n-1d-pages", notifications: 3, devices: &[ACK], faults: NO_FAULTS, ..PAGES_OF_ONE },
    Scope {
        name: "push-2n-1d-pages-faults",
        notifications: 2,
        faults: FAULTS,
        replay_batch: 1,
        ..PAGES_OF_ONE
    },
    Scope { name: "push-2n-2d-aside", notifications: 2, devices: &[PUSH, PUSH], faults: ONE_ASIDE, ..BASE },
    Scope { name: "ack-2n-1d-aside", notifications: 2, devices: &[ACK], faults: ASIDE_AND_CRASH, ..BASE },
    Scope { name: "push-2n-1d-blocked", notifications: 2, faults: FAULTS, ..BLOCKED },
    Scope {
        name: "ack-2n-1d-blocked",
        notifications: 2,
        devices: &[ACK],
        faults: ONE_FAILED_PUSH,
        ..BLOCKED
    },
    Scope { name: "ack-1n-2d-aside", devices: &[ACK, ACK], faults: ASIDE_AND_CRASH, ..BASE },
];

/// Scopes that `--deep` adds, explored as far as the limit of steps allows.
pub const DEEP: &[Scope] = &[
    Scope {
        name: "push-2n-1d-crash-and-faults",
        notifications: 2,
        faults: Faults { crashes: 1, ..FAULTS },
        ..BASE
    },
    Scope { name: "mixed-2n-2d", notifications: 2, devices: &[ACK, PUSH], ..BASE },
    Scope { name: "ack-2n-2d", notifications: 2, devices: &[ACK, ACK], ..BASE },
    Scope { name: "push-2n-3d", notifications: 2, devices: &[PUSH, PUSH, PUSH], ..BASE },
    Scope { name: "push-3n-3d", notifications: 3, devices: &[PUSH, PUSH, PUSH], ..BASE },
    Scope { name: "push-4n-1d-pages", notifications: 4, ..PAGES_OF_ONE },
    Scope { name: "push-3n-2d-pages", notifications: 3, devices: &[PUSH, PUSH], ..PAGES_OF_ONE },
    Scope {
        name: "push-2n-2d-aside-crash",
        notifications: 2,
        devices: &[PUSH, PUSH],
        faults: ASIDE_AND_CRASH,
        ..BASE
    },
    Scope {
        name: "push-3n-2d-aside-crash",
        notifications: 3,
        devices: &[PUSH, PUSH],
        batch: 3,
        faults: ASIDE_AND_CRASH,
        ..BASE
    },
    Scope { name: "mixed-2n-2d-aside", notifications: 2, devices: &[ACK, PUSH], faults: ONE_ASIDE, ..BASE },
];

/// Runs set aside what waits behind held notifications that can't be pushed.
const BLOCKED: Scope = Scope { set_aside: SetAside::Blocked, ..BASE };

/// One push that fails temporarily, and one run that runs out of time.
const ONE_FAILED_PUSH: Faults = Faults { push_errors: 1, timeouts: 1, ..NO_FAULTS };

/// One run that is set aside, and one crash.
const ASIDE_AND_CRASH: Faults = Faults { crashes: 1, ..ONE_ASIDE };

/// Scopes for tests, of a second or two each.
pub const SMALL: &[Scope] = &[
    Scope { name: "push-2n-1d", notifications: 2, ..BASE },
    Scope { name: "push-1n-2d", devices: &[PUSH, PUSH], ..BASE },
    Scope { name: "push-1n-1d-faults", faults: FAULTS, ..BASE },
    Scope { name: "ack-1n-1d", devices: &[ACK], ..BASE },
    Scope {
        name: "push-2n-1d-large-page",
        notifications: 2,
        limits: Limits { replay_drain: 1, page: 3, ..LIMITS },
        ..BASE
    },
    Scope { name: "mixed-1n-2d-no-crash", devices: &[PUSH, ACK], faults: NO_FAULTS, ..BASE },
    Scope { name: "push-2n-1d-pages", notifications: 2, faults: NO_FAULTS, ..PAGES_OF_ONE },
    Scope { name: "push-1n-2d-aside", devices: &[PUSH, PUSH], faults: ONE_ASIDE, ..BASE },
    Scope { name: "push-2n-1d-blocked-small", notifications: 2, faults: ONE_FAILED_PUSH, ..BLOCKED },
    Scope { name: "ack-1n-1d-aside", devices: &[ACK], faults: ASIDE_AND_CRASH, ..BASE },
];

/// Scopes in which leaving out a rule breaks a promise.
const RULES: &[Scope] = &[
    Scope { name: "push-2n-1d-no-crash", notifications: 2, faults: NO_FAULTS, ..BASE },
    Scope { name: "push-1n-1d-no-crash", faults: NO_FAULTS, ..BASE },
    Scope { name: "ack-1n-2d-no-crash", devices: &[ACK, ACK], faults: NO_FAULTS, ..BASE },
    Scope { name: "ack-2n-1d-no-crash", notifications: 2, devices: &[ACK], faults: NO_FAULTS, ..BASE },
    Scope {
        name: "push-2n-1d-timeout",
        notifications: 2,
        faults: Faults { timeouts: 1, ..NO_FAULTS },
        ..BASE
    },
    Scope { name: "push-1n-1d-timeout", faults: Faults { timeouts: 1, ..NO_FAULTS }, ..BASE },
    Scope { name: "push-1n-2d-no-crash", devices: &[PUSH, PUSH], faults: NO_FAULTS, ..BASE },
    Scope {
        name: "push-2n-1d-one-entry",
        notifications: 2,
        faults: NO_FAULTS,
        replay_batch: 1,
        ..PAGES_OF_ONE
    },
    Scope { name: "push-1n-1d-aside", faults: ONE_ASIDE, ..BASE },
    Scope { name: "push-1n-3d-no-crash", devices: &[PUSH, PUSH, PUSH], faults: NO_FAULTS, ..BASE },
];

/// Finds a scope by its name.
pub fn named(name: &str) -> Option<Scope> {
    [QUICK, DEEP, SMALL, RULES].concat().into_iter().find(|scope| scope.name == name)
}

/// The name of a small scope in which leaving out the rule breaks a promise, if any promise needs the rule.
pub const fn for_missing_rule(rule: Rule) -> &'static str {
    match rule {
        Rule::DrainFirst | Rule::QueueReplayWhenDeferred => "push-2n-1d-no-crash",
        Rule::LookAgainAfterStoring | Rule::HandshakeGrace | Rule::ReadConsistently => "push-1n-1d-no-crash",
        Rule::WriteAhead
        | Rule::PerConnection
        | Rule::LookAgainBeforeFinishing
        | Rule::LookAgainAfterMarking => "ack-1n-2d-no-crash",
        Rule::WriteBeforePush | Rule::MarkOnlyIfThere => "ack-2n-1d-no-crash",
        Rule::MarkAfterPush => "ack-1n-1d",
        Rule::ReportFailedReplay | Rule::FailureStopsThatUserOnly => "push-1n-1d-timeout",
        Rule::RetryTheRest | Rule::FailureKeepsItsPlace => "push-2n-1d-timeout",
        Rule::OneRunAtATime => "push-2n-1d",
        Rule::ReplayTheRest => "push-2n-1d-one-entry",
        Rule::SweepScheduledReplays => "push-1n-1d-aside",
    }
}
