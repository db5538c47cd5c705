//! The targets for Tidings: bounds of metrics, and of ratios within a run.

use bench_kit::{Spread, number};

use crate::results::{Results, Series, delivery_totals, ratio, spread, systems};
use crate::systems::System;

/// A bound of a value.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// A target for a metric, or for its ratio to another.
struct Target {
    label: &'static str,
    metric: Series,
    /// The denominator, if the target is a ratio.
    relative_to: Option<Series>,
    bound: Bound,
}

const fn relative(label: &'static str, metric: Series, to: Series, bound: Bound) -> Target {
    Target { label, metric, relative_to: Some(to), bound }
}

const fn absolute(label: &'static str, metric: Series, bound: Bound) -> Target {
    Target { label, metric, relative_to: None, bound }
}

const TARGETS: &[Target] = {
    use Bound::{AtLeast, AtMost};
    use System::{
        Baseline, BaselineSynced, BunCorked, Centrifugo, Jetstream, Mosquitto, MosquittoTcp, Nats, Node,
        Tidings, TidingsAcked,
    };
    &[
        relative(
            "p50 at 2,000/s, relative to the synced baseline",
            (Tidings, "steady.p50Micros"),
            (BaselineSynced, "steady.p50Micros"),
            AtMost(1.5),
        ),
        relative(
            "median p99 of 250 ms windows at 2,000/s, relative to the synced baseline",
            (Tidings, "steady.typicalP99Micros"),
            (BaselineSynced, "steady.typicalP99Micros"),
            AtMost(1.5),
        ),
        relative(
            "p99.9 at 2,000/s, relative to the synced baseline",
            (Tidings, "steady.p999Micros"),
            (BaselineSynced, "steady.p999Micros"),
            AtMost(2.0),
        ),
        relative(
            "server CPU at 2,000/s, relative to the synced baseline",
            (Tidings, "steady.cpuMicros"),
            (BaselineSynced, "steady.cpuMicros"),
            AtMost(1.6),
        ),
        relative(
            "p50 at 200/s, relative to the synced baseline",
            (Tidings, "sparse.p50Micros"),
            (BaselineSynced, "sparse.p50Micros"),
            AtMost(1.5),
        ),
        relative(
            "accept rate, relative to JetStream, which does not sync",
            (Tidings, "accept.perSecond"),
            (Jetstream, "accept.perSecond"),
            AtLeast(2.0),
        ),
        relative(
            "accept rate, relative to Bun, in memory",
            (Tidings, "accept.perSecond"),
            (BunCorked, "accept.perSecond"),
            AtLeast(0.5),
        ),
        relative(
            "accept rate, relative to mosquitto, in memory",
            (Tidings, "accept.perSecond"),
            (Mosquitto, "accept.perSecond"),
            AtLeast(1.0),
        ),
        relative(
            "replay rate, relative to Bun, from memory",
            (Tidings, "replay.perSecond"),
            (BunCorked, "replay.perSecond"),
            AtLeast(1.0),
        ),
        relative(
            "replay rate, relative to mosquitto",
            (Tidings, "replay.perSecond"),
            (Mosquitto, "replay.perSecond"),
            AtLeast(2.5),
        ),
        relative(
            "online rate, relative to Bun",
            (Tidings, "online.perSecond"),
            (BunCorked, "online.perSecond"),
            AtLeast(1.2),
        ),
        relative(
            "online rate, relative to Centrifugo",
            (Tidings, "online.perSecond"),
            (Centrifugo, "online.perSecond"),
            AtLeast(4.0),
        ),
        relative(
            "online rate, relative to Node",
            (Tidings, "online.perSecond"),
            (Node, "online.perSecond"),
            AtLeast(2.0),
        ),
        relative(
            "online rate, relative to mosquitto with receivers on TCP",
            (Tidings, "online.perSecond"),
            (MosquittoTcp, "online.perSecond"),
            AtLeast(2.0),
        ),
        relative(
            "online rate, relative to the baseline",
            (Tidings, "online.perSecond"),
            (Baseline, "online.perSecond"),
            AtLeast(0.5),
        ),
        relative(
            "online rate with acknowledgements, relative to without",
            (TidingsAcked, "online.perSecond"),
            (Tidings, "online.perSecond"),
            AtLeast(0.75),
        ),
        absolute("server CPU of an online notification, µs", (Tidings, "online.cpuMicros"), AtMost(10.0)),
        relative(
            "median p99 of 250 ms windows at 2,000/s, relative to mosquitto",
            (Tidings, "steady.typicalP99Micros"),
            (Mosquitto, "steady.typicalP99Micros"),
            AtMost(1.0),
        ),
        absolute("memory of an idle connection, bytes", (Tidings, "connections.bytesEach"), AtMost(2_500.0)),
        relative(
            "connections a second, relative to Bun",
            (Tidings, "connections.perSecond"),
            (BunCorked, "connections.perSecond"),
            AtLeast(1.0),
        ),
        relative(
            "connections a second, relative to NATS",
            (Tidings, "connections.perSecond"),
            (Nats, "connections.perSecond"),
            AtLeast(1.0),
        ),
        relative(
            "median p99 of other users with a stuck user, relative to without",
            (Tidings, "oneStuck.typicalP99Micros"),
            (Tidings, "allRead.typicalP99Micros"),
            AtMost(1.1),
        ),
        absolute("lost by kill -9", (TidingsAcked, "crash.lost"), AtMost(0.0)),
        absolute("lost when connections drop", (TidingsAcked, "interrupted.lost"), AtMost(0.0)),
        absolute(
            "users with notifications out of order when connections drop",
            (TidingsAcked, "interrupted.usersOutOfOrder"),
            AtMost(0.0),
        ),
        absolute("lost of 10,000 held for one user", (Tidings, "held.lost"), AtMost(0.0)),
    ]
};

/// The outcome of a target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) label: &'static str,
    /// The bound, as text.
    pub(super) target: String,
    pub(super) found: Spread,
    pub(super) is_met: bool,
}

/// Returns the outcomes of all targets that were measured, and then of the delivery errors, which must be zero.
pub(super) fn outcomes(results: &Results) -> Vec<Outcome> {
    let mut all: Vec<_> = TARGETS.iter().filter_map(|target| outcome(results, target)).collect();
    let systems = systems(results);
    for (system, label) in [
        (System::Tidings, "delivery errors in all cases without a fault"),
        (System::TidingsAcked, "the same with acknowledging receivers"),
    ] {
        if systems.contains(&system) {
            let errors = delivery_totals(results, system).error_count();
            let found = Spread { median: errors, min: errors, max: errors };
            all.push(Outcome { label, target: "= 0".to_owned(), found, is_met: errors == 0.0 });
        }
    }
    all
}

fn outcome(results: &Results, target: &Target) -> Option<Outcome> {
    let found = match target.relative_to {
        Some(denominator) => ratio(results, target.metric, denominator)?,
        None => spread(results, target.metric)?,
    };
    let (text, is_met) = match target.bound {
        Bound::AtLeast(bound) => (format!("≥ {}", number(bound)), found.median >= bound),
        // A count that must be zero must be so in every run.
        Bound::AtMost(0.0) => ("= 0".to_owned(), found.max <= 0.0),
        Bound::AtMost(bound) => (format!("≤ {}", number(bound)), found.median <= bound),
    };
    Some(Outcome { label: target.label, target: text, found, is_met })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn medians_meet_bounds_and_errors_must_be_zero() {
        let all = outcomes(&example());
        let [baseline, errors] = all.as_slice() else { panic!("{all:?}") };
        let expected = ("online rate, relative to the baseline", "≥ 0.5", false);
        assert_eq!((baseline.label, baseline.target.as_str(), baseline.is_met), expected);
        assert_eq!((baseline.found.min, baseline.found.max), (0.25, 0.5));
        assert_eq!((errors.found.max, errors.is_met), (2.0, false));
    }
}
