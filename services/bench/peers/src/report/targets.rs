//! What Tidings is to reach, as ratios within a run.

use bench_kit::{Spread, number};

use crate::results::Results;
use crate::systems::System;

/// Which side of the bound is right.
#[derive(Debug, Clone, Copy)]
enum Is {
    AtLeast(f64),
    AtMost(f64),
}

/// A target.
struct Target {
    label: &'static str,
    of: (System, &'static str),
    /// None where the figure itself counts.
    to: Option<(System, &'static str)>,
    is: Is,
}

const fn ratio(
    label: &'static str,
    of: (System, &'static str),
    to: (System, &'static str),
    is: Is,
) -> Target {
    Target { label, of, to: Some(to), is }
}

const fn absolute(label: &'static str, of: (System, &'static str), is: Is) -> Target {
    Target { label, of, to: None, is }
}

const TARGETS: &[Target] = {
    use Is::{AtLeast, AtMost};
    use System::{Jetstream, Line, Mosquitto, MosquittoTcp, Nats, Node, Tidings, TidingsAcked};
    &[
        ratio(
            "accepted, synced, to JetStream unsynced",
            (Tidings, "accept.perSecond"),
            (Jetstream, "accept.perSecond"),
            AtLeast(1.0),
        ),
        ratio(
            "accepted, synced, to mosquitto in memory",
            (Tidings, "accept.perSecond"),
            (Mosquitto, "accept.perSecond"),
            AtLeast(1.0),
        ),
        ratio(
            "replay to mosquitto",
            (Tidings, "replay.perSecond"),
            (Mosquitto, "replay.perSecond"),
            AtLeast(2.5),
        ),
        ratio("replay to the line", (Tidings, "replay.perSecond"), (Line, "replay.perSecond"), AtLeast(0.4)),
        ratio("online to Node", (Tidings, "online.perSecond"), (Node, "online.perSecond"), AtLeast(2.0)),
        ratio(
            "online to mosquitto with TCP users",
            (Tidings, "online.perSecond"),
            (MosquittoTcp, "online.perSecond"),
            AtLeast(2.0),
        ),
        ratio("online to the line", (Tidings, "online.perSecond"), (Line, "online.perSecond"), AtLeast(0.3)),
        absolute("server CPU of an online notification, µs", (Tidings, "online.cpuMicros"), AtMost(10.0)),
        ratio(
            "p99 of a typical ¼ s at 2,000/s to mosquitto",
            (Tidings, "steady.typicalP99Micros"),
            (Mosquitto, "steady.typicalP99Micros"),
            AtMost(1.0),
        ),
        absolute("memory of an idle connection, bytes", (Tidings, "connections.bytesEach"), AtMost(5_000.0)),
        ratio(
            "connections/s to NATS",
            (Tidings, "connections.perSecond"),
            (Nats, "connections.perSecond"),
            AtLeast(1.0),
        ),
        ratio(
            "others' p99 of a typical ¼ s with a stuck user to without",
            (Tidings, "oneStuck.typicalP99Micros"),
            (Tidings, "allRead.typicalP99Micros"),
            AtMost(1.1),
        ),
        absolute("lost by kill -9", (TidingsAcked, "crash.lost"), AtMost(0.0)),
        absolute("lost when dropped in mid-replay", (TidingsAcked, "interrupted.lost"), AtMost(0.0)),
        absolute(
            "users out of order when dropped in mid-replay",
            (TidingsAcked, "interrupted.usersOutOfOrder"),
            AtMost(0.0),
        ),
        absolute("lost of 10,000 held for one user", (Tidings, "held.lost"), AtMost(0.0)),
    ]
};

/// How a target fared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fared {
    pub(crate) label: &'static str,
    pub(crate) target: String,
    pub(crate) found: Spread,
    pub(crate) passes: bool,
}

/// Every target for which there are figures, and then that nothing was lost, repeated or out of order.
pub(crate) fn fared(results: &Results) -> Vec<Fared> {
    let mut all: Vec<_> = TARGETS.iter().filter_map(|target| one(results, target)).collect();
    let systems = results.systems();
    for system in [System::Tidings, System::TidingsAcked].into_iter().filter(|own| systems.contains(own)) {
        let [_, rest @ ..] = results.soundness(system);
        let bad = rest.iter().sum();
        all.push(Fared {
            label: match system {
                System::Tidings => {
                    "lost, repeated, out of order, connections lost, in all cases without a fault"
                }
                _ => "the same with receivers that acknowledge",
            },
            target: "= 0".to_owned(),
            found: Spread { median: bad, min: bad, max: bad },
            passes: bad == 0.0,
        });
    }
    all
}

fn one(results: &Results, target: &Target) -> Option<Fared> {
    let found = match target.to {
        Some(to) => results.ratio(target.of, to)?,
        None => results.spread(target.of.0, target.of.1)?,
    };
    let (text, passes) = match target.is {
        Is::AtLeast(bound) => (format!("≥ {}", number(bound)), found.median >= bound),
        // Of what must never be, the worst counts.
        Is::AtMost(0.0) => ("= 0".to_owned(), found.max <= 0.0),
        Is::AtMost(bound) => (format!("≤ {}", number(bound)), found.median <= bound),
    };
    Some(Fared { label: target.label, target: text, found, passes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn a_target_passes_by_the_median_and_what_must_not_be_by_the_worst() {
        let all = fared(&example());
        let [line, sound] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((line.label, line.target.as_str(), line.passes), ("online to the line", "≥ 0.3", true));
        assert_eq!((line.found.min, line.found.max), (0.25, 0.5));
        assert_eq!((sound.found.max, sound.passes), (2.0, false));
    }
}
