//! The results of one call of a benchmark, as they are stored in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::machine::Machine;
use crate::metrics::{DeliveryTotals, Metrics};
use crate::options::Options;
use crate::runner::{Interrupted, Runner, progress};

/// The results of one call: its setting, its measurements, and the points it could not measure.
///
/// `Scale` has the amounts that were measured with, and `Point` identifies a measurement within a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Results<Scale, Point> {
    /// The machine.
    pub machine: Machine,
    /// Versions of the measured programs, by name.
    #[serde(alias = "version", deserialize_with = "one_or_more_versions")]
    pub versions: BTreeMap<String, String>,
    /// The command line.
    pub command: String,
    /// Amounts of users, notifications and so on.
    pub scale: Scale,
    /// True if the amounts were small, to check that everything works.
    pub quick: bool,
    /// Number of runs.
    pub runs: u32,
    /// True if the only run was interrupted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub incomplete: bool,
    /// All measurements, in the order they were made.
    pub measurements: Vec<Measurement<Point>>,
    /// Points that were not measured, or not all of them.
    #[serde(alias = "leftOut")]
    pub not_measured: Vec<NotMeasured<Point>>,
}

/// The metrics of a point in one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement<Point> {
    /// Number of the run, from 1.
    pub run: u32,
    /// The point.
    #[serde(flatten)]
    pub point: Point,
    /// Its metrics.
    #[serde(alias = "figures")]
    pub metrics: Metrics,
}

/// A point that was not measured, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotMeasured<Point> {
    /// The point.
    #[serde(flatten)]
    pub point: Point,
    /// The reason, beginning with the part of the point if it is only a part.
    #[serde(alias = "what")]
    pub reason: String,
    /// True if it should have been possible.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failed: bool,
}

/// Use of a first run that was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartialRun {
    /// Report nothing: points are compared with each other, and need a whole run.
    Discard,
    /// Report the points measured so far: each has a meaning of its own.
    Keep,
}

impl<Scale, Point> Results<Scale, Point> {
    /// Creates results without measurements. `command` is the default for the command line.
    ///
    /// # Errors
    /// The machine can't be described.
    pub fn new<const RUNS: u32>(
        options: &Options<RUNS>,
        command: String,
        scale: Scale,
        versions: BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            machine: Machine::current()?,
            versions,
            command,
            scale,
            quick: options.quick,
            runs: if options.quick { 1 } else { options.runs },
            incomplete: false,
            measurements: Vec::new(),
            not_measured: Vec::new(),
        })
    }

    /// Calls `measure` for each run, with the run's number.
    ///
    /// An interruption ends the runs and drops the measurements of the current one, so that all points have
    /// the same number of runs. `first` says what to do if there is no other run.
    ///
    /// # Errors
    /// There is nothing to report, or [`Runner::new`] failed.
    pub fn measure_runs(
        &mut self,
        first: PartialRun,
        mut measure: impl FnMut(u32, &mut Runner, &mut Self) -> Result<(), Interrupted>,
    ) -> anyhow::Result<()> {
        let mut runner = Runner::new()?;
        for run in 1..=self.runs {
            if let Err(interrupted) = measure(run, &mut runner, self) {
                return Ok(self.end_in(run, first, interrupted)?);
            }
        }
        Ok(())
    }

    fn end_in(&mut self, run: u32, first: PartialRun, interrupted: Interrupted) -> Result<(), Interrupted> {
        if run > 1 {
            self.measurements.retain(|measurement| measurement.run != run);
            self.runs = run - 1;
            progress(&format!("interrupted: reporting the complete runs, {} in number", self.runs));
        } else if first == PartialRun::Keep && !self.measurements.is_empty() {
            self.runs = 1;
            self.incomplete = true;
            progress("interrupted: reporting what was measured of the first run");
        } else {
            return Err(interrupted);
        }
        Ok(())
    }

    /// Returns the distinct keys of the measured points, in their order.
    pub fn distinct<K: Ord>(&self, key: impl Fn(&Point) -> K) -> Vec<K> {
        let mut keys: Vec<_> = self.measurements.iter().map(|measurement| key(&measurement.point)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Sums the delivery errors of the wanted points over all runs.
    pub fn delivery_totals(&self, wanted: impl Fn(&Point) -> bool) -> DeliveryTotals {
        let wanted = self.measurements.iter().filter(|measurement| wanted(&measurement.point));
        DeliveryTotals::of(&wanted.map(|measurement| &measurement.metrics).collect::<Vec<_>>())
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Reads versions by name, or the version of Tidings alone, which older results of `bench-scaling` have.
fn one_or_more_versions<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Versions {
        One(String),
        ByName(BTreeMap<String, String>),
    }
    Ok(match Versions::deserialize(deserializer)? {
        Versions::One(version) => BTreeMap::from([("Tidings".to_owned(), version)]),
        Versions::ByName(versions) => versions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Point {
        #[serde(alias = "curve")]
        sweep: String,
    }

    const OLD: &str = r#"{"machine":{"processor":"p","processors":2,"memoryGib":4,"kernel":"k","openFiles":5},
        "version":"0.1.0","command":"c","scale":null,"quick":false,"runs":3,
        "measurements":[{"run":1,"curve":"a","figures":{"online.lost":1.0}},
            {"run":2,"curve":"a","figures":{"online.lost":2.0,"online.expected":5.0}}],
        "leftOut":[{"curve":"b","what":"too large","failed":false}]}"#;

    fn results() -> Results<(), Point> {
        serde_json::from_str(OLD).unwrap()
    }

    #[test]
    fn older_field_names_are_read() {
        let results = results();
        assert_eq!(results.versions["Tidings"], "0.1.0");
        assert_eq!(results.distinct(|point| point.sweep.clone()), ["a"]);
        assert_eq!(results.not_measured[0].reason, "too large");
        let totals = results.delivery_totals(|_| true);
        assert_eq!((totals.expected, totals.error_count()), (5.0, 3.0));
        let json = serde_json::to_string(&results).unwrap();
        assert!(json.contains(r#""sweep":"a","metrics":{"#), "{json}");
        assert_eq!(
            serde_json::to_string(&serde_json::from_str::<Results<(), Point>>(&json).unwrap()).unwrap(),
            json
        );
    }

    #[test]
    fn interruption_keeps_complete_runs() {
        let mut results = results();
        let ends_in = |end: u32| {
            move |run, _: &mut Runner, _: &mut _| if run < end { Ok(()) } else { Err(Interrupted) }
        };
        results.measure_runs(PartialRun::Discard, ends_in(2)).unwrap();
        assert_eq!((results.runs, results.incomplete, results.measurements.len()), (1, false, 1));
        assert!(results.clone().measure_runs(PartialRun::Discard, ends_in(1)).is_err());
        results.measure_runs(PartialRun::Keep, ends_in(1)).unwrap();
        assert_eq!((results.runs, results.incomplete, results.measurements.len()), (1, true, 1));
        results.measurements.clear();
        assert!(results.measure_runs(PartialRun::Keep, ends_in(1)).is_err());
    }
}
