//! What was measured, as it is written to JSON.

use std::collections::BTreeMap;

use bench_kit::figures::{last_part, soundness};
use bench_kit::{Figures, Machine, Spread};
use serde::{Deserialize, Serialize};

use crate::cases::{Case, Scale};
use crate::systems::System;

/// What a figure's name ends with that says how much of the processors' time was kept for others.
pub(crate) const STOLEN: &str = "stolenPercent";

/// All measurements of one call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// Of the programs, by their names.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) command: String,
    pub(crate) scale: Scale,
    /// Whether numbers were small, to see that everything works.
    pub(crate) quick: bool,
    pub(crate) runs: u32,
    pub(crate) measurements: Vec<Measurement>,
    /// What could not be measured, and why.
    pub(crate) left_out: Vec<LeftOut>,
}

/// One case on one system in one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    pub(crate) run: u32,
    pub(crate) case: Case,
    pub(crate) system: System,
    pub(crate) figures: Figures,
}

/// A case that was not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftOut {
    pub(crate) case: Case,
    pub(crate) system: System,
    pub(crate) reason: String,
}

impl Results {
    /// Leaves out what was measured in a run.
    pub(crate) fn forget(&mut self, run: u32) {
        self.measurements.retain(|measurement| measurement.run != run);
    }

    /// A figure of a system, by run.
    pub(crate) fn values(&self, system: System, figure: &str) -> BTreeMap<u32, f64> {
        let of_system = self.measurements.iter().filter(|measurement| measurement.system == system);
        of_system.filter_map(|one| Some((one.run, *one.figures.get(figure)?))).collect()
    }

    /// A figure of a system over all runs.
    pub(crate) fn spread(&self, system: System, figure: &str) -> Option<Spread> {
        Spread::of(self.values(system, figure).into_values().collect())
    }

    /// How many times one system's figure is another's, run by run.
    pub(crate) fn ratio(&self, (system, figure): (System, &str), (to, of): (System, &str)) -> Option<Spread> {
        let others = self.values(to, of);
        let ratios = self.values(system, figure).into_iter().filter_map(|(run, value)| {
            let other = *others.get(&run)?;
            (other > 0.0).then(|| value / other)
        });
        Spread::of(ratios.collect())
    }

    /// How much of the processors' time the host kept for others while something was measured, in percent.
    pub(crate) fn stolen(&self) -> Option<Spread> {
        let figures = self.measurements.iter().flat_map(|measurement| &measurement.figures);
        Spread::of(figures.filter(|(key, _)| last_part(key) == STOLEN).map(|(_, value)| *value).collect())
    }

    /// Those that were measured, in their order.
    pub(crate) fn systems(&self) -> Vec<System> {
        let mut systems: Vec<_> = self.measurements.iter().map(|measurement| measurement.system).collect();
        systems.sort_unstable();
        systems.dedup();
        systems
    }

    /// The sums of a system's [`soundness`] over all runs and cases but those in which something fails.
    pub(crate) fn soundness(&self, system: System) -> [f64; 5] {
        let fails = |case| matches!(case, Case::Crash | Case::Interrupted);
        let sound = self.measurements.iter().filter(|one| one.system == system && !fails(one.case));
        soundness(&sound.map(|one| &one.figures))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bench_kit::number;

    /// Two runs of two systems.
    pub(crate) fn example() -> Results {
        let measurement = |run, system, per_second: f64| Measurement {
            run,
            case: Case::Online,
            system,
            figures: [("online.perSecond", per_second), ("online.lost", 1.0), ("online.expected", 5.0)]
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
            versions: [("nats-server".to_owned(), "2.9.10".to_owned())].into(),
            command: "scripts/bench-peers".into(),
            scale: Scale::quick(),
            quick: false,
            runs: 2,
            measurements: vec![
                measurement(1, System::Tidings, 100.0),
                measurement(1, System::Line, 400.0),
                measurement(2, System::Tidings, 300.0),
                measurement(2, System::Line, 600.0),
            ],
            left_out: vec![LeftOut {
                case: Case::Crowd,
                system: System::Nats,
                reason: "too few files".into(),
            }],
        }
    }

    #[test]
    fn ratios_are_of_the_same_run() {
        let results = example();
        let figure = "online.perSecond";
        let ratio = results.ratio((System::Tidings, figure), (System::Line, figure)).unwrap();
        assert_eq!((ratio.min, ratio.max), (0.25, 0.5));
        assert_eq!(results.ratio((System::Tidings, figure), (System::Nats, figure)), None);
        assert_eq!(results.soundness(System::Line).map(number), ["10", "2", "0", "0", "0"]);
        assert_eq!(results.systems(), [System::Tidings, System::Line]);
    }

    #[test]
    fn json_is_read_back() {
        let json = serde_json::to_string(&example()).unwrap();
        let results: Results = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&results).unwrap(), json);
    }
}
