//! Queries over the results.

use std::collections::BTreeMap;

use bench_kit::Spread;
use bench_kit::metrics::{DeliveryTotals, is_delivery_error};

use crate::growth::Growth;
use crate::scale::Scale;
use crate::sweep::{Point, Sweep};

/// The results of all sweeps.
pub(crate) type Results = bench_kit::Results<Scale, Point>;

/// Returns the measured sweeps, in their order.
pub(crate) fn sweeps(results: &Results) -> Vec<Sweep> {
    results.distinct(|point| point.sweep)
}

/// Returns a metric along a sweep: the inputs in ascending order, each with the spread over all runs.
pub(crate) fn along(results: &Results, sweep: Sweep, metric: &str) -> Vec<(u32, Spread)> {
    let mut values = BTreeMap::<u32, Vec<f64>>::new();
    for one in results.measurements.iter().filter(|one| one.point.sweep == sweep) {
        if let Some(value) = one.metrics.get(metric) {
            values.entry(one.point.input).or_default().push(*value);
        }
    }
    let spreads = values.into_iter().filter_map(|(input, values)| Some((input, Spread::of(values)?)));
    spreads.collect()
}

/// Returns the growth of a metric's medians along a sweep.
pub(crate) fn growth(results: &Results, sweep: Sweep, metric: &str) -> Option<Growth> {
    let medians = along(results, sweep, metric).into_iter();
    Growth::of(&medians.map(|(input, spread)| (f64::from(input), spread.median)).collect::<Vec<_>>())
}

/// Sums a sweep's delivery errors.
pub(crate) fn delivery_totals(results: &Results, sweep: Sweep) -> DeliveryTotals {
    results.delivery_totals(|point| point.sweep == sweep)
}

/// Returns true if no point failed and there are no delivery errors.
pub(crate) fn is_correct(results: &Results) -> bool {
    let mut metrics = results.measurements.iter().flat_map(|one| &one.metrics);
    !results.not_measured.iter().any(|one| one.failed)
        && !metrics.any(|(name, value)| is_delivery_error(name, *value))
}

#[cfg(test)]
pub(crate) mod tests {
    use bench_kit::{Machine, Measurement, NotMeasured, number};

    use super::*;

    /// Two runs of one sweep.
    pub(crate) fn example() -> Results {
        let measurement = |run, input, micros: f64| Measurement {
            run,
            point: Point { sweep: Sweep::Users, input },
            metrics: [
                ("online.cpuMicros", micros),
                ("online.perSecond", 5_000.0),
                ("online.lost", 0.0),
                ("online.expected", 7.0),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        };
        Results {
            machine: Machine::current().unwrap(),
            versions: [("Tidings".to_owned(), "0.1.0".to_owned())].into(),
            command: "scripts/bench-scaling".into(),
            scale: Scale::quick(),
            quick: false,
            runs: 2,
            incomplete: false,
            measurements: vec![
                measurement(1, 100, 10.0),
                measurement(1, 1_000, 20.0),
                measurement(2, 100, 14.0),
                measurement(2, 1_000, 28.0),
            ],
            not_measured: vec![NotMeasured {
                point: Point { sweep: Sweep::Hub, input: 100 },
                reason: "too few files".into(),
                failed: false,
            }],
        }
    }

    #[test]
    fn sweep_has_the_medians_of_all_runs() {
        let results = example();
        let along = along(&results, Sweep::Users, "online.cpuMicros");
        assert_eq!(
            along.iter().map(|(x, y)| (*x, y.median)).collect::<Vec<_>>(),
            [(100, 12.0), (1_000, 24.0)]
        );
        let growth = growth(&results, Sweep::Users, "online.cpuMicros").unwrap();
        assert!((growth.to_smallest - 2.0).abs() < 1e-9 && growth.is_growing());
        let totals = delivery_totals(&results, Sweep::Users);
        assert_eq!(number(totals.expected), "28");
        assert_eq!(totals.errors.map(number), ["0", "0", "0", "0"]);
        assert_eq!(sweeps(&results), [Sweep::Users]);
    }

    #[test]
    fn one_delivery_error_makes_results_incorrect() {
        let mut results = example();
        assert!(is_correct(&results));
        results.measurements[3].metrics.insert("replay.duplicates".into(), 1.0);
        assert!(!is_correct(&results));
    }

    #[test]
    fn json_is_read_back() {
        let json = serde_json::to_string(&example()).unwrap();
        let results: Results = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&results).unwrap(), json);
    }
}
