//! What was measured, as it is written to JSON.

use std::collections::BTreeMap;

use bench_kit::figures::{is_unsound, soundness};
use bench_kit::{Figures, Machine, Spread};
use serde::{Deserialize, Serialize};

use crate::curves::Curve;
use crate::growth::Growth;
use crate::scale::Scale;

/// All measurements of one call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) version: String,
    pub(crate) command: String,
    pub(crate) scale: Scale,
    /// Whether numbers were small, to see that everything works.
    pub(crate) quick: bool,
    pub(crate) runs: u32,
    pub(crate) measurements: Vec<Measurement>,
    /// What could not be measured, and why.
    pub(crate) left_out: Vec<LeftOut>,
}

/// One point in one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    pub(crate) run: u32,
    pub(crate) curve: Curve,
    pub(crate) input: u32,
    pub(crate) figures: Figures,
}

/// Something that was not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftOut {
    pub(crate) curve: Curve,
    pub(crate) input: u32,
    pub(crate) what: String,
    /// Whether it should have been possible.
    pub(crate) failed: bool,
}

impl Results {
    /// The curves that were measured, in their order.
    pub(crate) fn curves(&self) -> Vec<Curve> {
        let mut curves: Vec<_> = self.measurements.iter().map(|one| one.curve).collect();
        curves.sort_unstable();
        curves.dedup();
        curves
    }

    /// A figure along a curve over all runs: its inputs in their order, and what was found there.
    pub(crate) fn along(&self, curve: Curve, key: &str) -> Vec<(u32, Spread)> {
        let mut values = BTreeMap::<u32, Vec<f64>>::new();
        for one in self.measurements.iter().filter(|one| one.curve == curve) {
            if let Some(value) = one.figures.get(key) {
                values.entry(one.input).or_default().push(*value);
            }
        }
        let spreads = values.into_iter().filter_map(|(input, values)| Some((input, Spread::of(values)?)));
        spreads.collect()
    }

    /// How a figure's medians grow along a curve.
    pub(crate) fn growth(&self, curve: Curve, key: &str) -> Option<Growth> {
        let along = self.along(curve, key).into_iter();
        Growth::of(&along.map(|(input, spread)| (f64::from(input), spread.median)).collect::<Vec<_>>())
    }

    /// The sums of a curve's [`soundness`].
    pub(crate) fn soundness(&self, curve: Curve) -> [f64; 5] {
        let of_curve = self.measurements.iter().filter(|one| one.curve == curve);
        soundness(&of_curve.map(|one| &one.figures))
    }

    /// Whether nothing failed, and nothing was lost, repeated or out of order anywhere.
    pub(crate) fn is_sound(&self) -> bool {
        let mut figures = self.measurements.iter().flat_map(|one| &one.figures);
        !self.left_out.iter().any(|one| one.failed) && !figures.any(|(key, value)| is_unsound(key, *value))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two runs of one curve.
    pub(crate) fn example() -> Results {
        let measurement = |run, input, micros: f64| Measurement {
            run,
            curve: Curve::Users,
            input,
            figures: [
                ("online.cpuMicros", micros),
                ("online.perSecond", 5_000.0),
                ("online.lost", 0.0),
                ("online.expected", 7.0),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        };
        Results {
            machine: Machine {
                processor: "p".into(),
                processors: 2,
                memory_gib: 4,
                kernel: "k".into(),
                open_files: 1_024,
            },
            version: "0.1.0".into(),
            command: "scripts/bench-scaling".into(),
            scale: Scale::quick(),
            quick: false,
            runs: 2,
            measurements: vec![
                measurement(1, 100, 10.0),
                measurement(1, 1_000, 20.0),
                measurement(2, 100, 14.0),
                measurement(2, 1_000, 28.0),
            ],
            left_out: vec![LeftOut {
                curve: Curve::Hub,
                input: 100,
                what: "too few files".into(),
                failed: false,
            }],
        }
    }

    #[test]
    fn medians_of_all_runs_make_the_curve() {
        let results = example();
        let along = results.along(Curve::Users, "online.cpuMicros");
        assert_eq!(
            along.iter().map(|(x, y)| (*x, y.median)).collect::<Vec<_>>(),
            [(100, 12.0), (1_000, 24.0)]
        );
        let growth = results.growth(Curve::Users, "online.cpuMicros").unwrap();
        assert!((growth.to_least - 2.0).abs() < 1e-9 && growth.is_growing());
        assert_eq!(results.soundness(Curve::Users).map(bench_kit::number), ["28", "0", "0", "0", "0"]);
        assert_eq!(results.curves(), [Curve::Users]);
    }

    #[test]
    fn one_that_is_lost_is_no_sound_result() {
        let mut results = example();
        assert!(results.is_sound());
        results.measurements[3].figures.insert("replay.duplicates".into(), 1.0);
        assert!(!results.is_sound());
    }

    #[test]
    fn json_is_read_back() {
        let json = serde_json::to_string(&example()).unwrap();
        let results: Results = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&results).unwrap(), json);
    }
}
