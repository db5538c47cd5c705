//! Queries over the results.

use std::collections::BTreeMap;

use bench_kit::metrics::{DeliveryTotals, last_part};
use bench_kit::{Metrics, Spread};

use crate::case::Point;
use crate::scale::Scale;
use crate::systems::System;

/// Last part of the name of a metric: the share of processor time that the host gave to others, in percent.
pub(crate) const STEAL_TIME: &str = "stolenPercent";

/// The results of a comparison.
pub(crate) type Results = bench_kit::Results<Scale, Point>;

/// A metric of a system.
pub(crate) type Series = (System, &'static str);

/// Returns a metric of a system by run.
fn values(results: &Results, (system, name): Series) -> BTreeMap<u32, f64> {
    let of_system = results.measurements.iter().filter(|measurement| measurement.point.system == system);
    of_system.filter_map(|one| Some((one.run, *one.metrics.get(name)?))).collect()
}

/// Returns a metric of a system over all runs.
pub(crate) fn spread(results: &Results, series: Series) -> Option<Spread> {
    Spread::of(values(results, series).into_values().collect())
}

/// Returns the ratio of two metrics, taken within each run.
pub(crate) fn ratio(results: &Results, numerator: Series, denominator: Series) -> Option<Spread> {
    let divisors = values(results, denominator);
    let ratios = values(results, numerator).into_iter().filter_map(|(run, value)| {
        let divisor = *divisors.get(&run)?;
        (divisor > 0.0).then(|| value / divisor)
    });
    Spread::of(ratios.collect())
}

/// Returns the steal time of all measurements, in percent.
pub(crate) fn steal_time(results: &Results) -> Option<Spread> {
    let metrics = results.measurements.iter().flat_map(|measurement| &measurement.metrics);
    Spread::of(metrics.filter(|(name, _)| last_part(name) == STEAL_TIME).map(|(_, value)| *value).collect())
}

/// Returns the measured systems, in their order.
pub(crate) fn systems(results: &Results) -> Vec<System> {
    results.distinct(|point| point.system)
}

/// Sums a system's delivery errors over all runs and all cases without a fault.
pub(crate) fn delivery_totals(results: &Results, system: System) -> DeliveryTotals {
    results.delivery_totals(|point| point.system == system && !point.case.has_fault())
}

/// Renames the metrics of the case `many-connections`, which older results call `crowd`.
pub(crate) fn rename_old_metrics(metrics: &mut Metrics) {
    let old: Vec<_> = metrics.extract_if(.., |name, _| name.starts_with("crowd.")).collect();
    metrics
        .extend(old.into_iter().map(|(name, value)| (name.replacen("crowd", "manyConnections", 1), value)));
}

#[cfg(test)]
pub(crate) mod tests {
    use bench_kit::{Machine, Measurement, NotMeasured, number};

    use super::*;
    use crate::case::Case;

    /// Two runs of two systems.
    pub(crate) fn example() -> Results {
        let measurement = |run, system, per_second: f64| Measurement {
            run,
            point: Point { case: Case::Online, system },
            metrics: [("online.perSecond", per_second), ("online.lost", 1.0), ("online.expected", 5.0)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        };
        Results {
            machine: Machine::current().unwrap(),
            versions: [("nats-server".to_owned(), "2.9.10".to_owned())].into(),
            command: "scripts/bench-peers".into(),
            scale: Scale::quick(),
            quick: false,
            runs: 2,
            incomplete: false,
            measurements: vec![
                measurement(1, System::Tidings, 100.0),
                measurement(1, System::Baseline, 400.0),
                measurement(2, System::Tidings, 300.0),
                measurement(2, System::Baseline, 600.0),
            ],
            not_measured: vec![NotMeasured {
                point: Point { case: Case::ManyConnections, system: System::Nats },
                reason: "too few files".into(),
                failed: false,
            }],
        }
    }

    #[test]
    fn ratios_are_taken_within_a_run() {
        let results = example();
        let of = |system| (system, "online.perSecond");
        let ratio_to = |system| ratio(&results, of(System::Tidings), of(system));
        let baseline = ratio_to(System::Baseline).unwrap();
        assert_eq!((baseline.min, baseline.max), (0.25, 0.5));
        assert_eq!(ratio_to(System::Nats), None);
        let totals = delivery_totals(&results, System::Baseline);
        assert_eq!(number(totals.expected), "10");
        assert_eq!(totals.errors.map(number), ["2", "0", "0", "0"]);
        assert_eq!(systems(&results), [System::Tidings, System::Baseline]);
    }

    #[test]
    fn json_is_read_back() {
        let json = serde_json::to_string(&example()).unwrap();
        let results: Results = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&results).unwrap(), json);
    }

    #[test]
    fn names_of_older_results_are_read() {
        let json = serde_json::to_string(&example()).unwrap();
        let old = json.replace(r#""baseline""#, r#""line""#).replace(r#""many-connections""#, r#""crowd""#);
        let old = old.replace("manyConnections", "crowd").replace("metrics", "figures");
        assert_ne!(old, json);
        let results: Results = serde_json::from_str(&old).unwrap();
        assert_eq!(serde_json::to_string(&results).unwrap(), json);
        let mut metrics = Metrics::from([("crowd.bytesEach".to_owned(), 1.0), ("a.b".to_owned(), 2.0)]);
        rename_old_metrics(&mut metrics);
        assert_eq!(metrics.into_keys().collect::<Vec<_>>(), ["a.b", "manyConnections.bytesEach"]);
    }
}
