//! The report of the comparison: tables, page, plots and exit code.

mod page;
mod plots;
mod rows;
mod targets;

use bench_kit::{Benchmark, Plot};

use crate::case::Point;
use crate::results::{Results, delivery_totals, rename_old_metrics};
use crate::scale::Scale;
use crate::systems::System;

/// The comparison of Tidings with its peers.
pub(crate) struct Peers;

impl Benchmark for Peers {
    const NAME: &'static str = "peers";
    type Scale = Scale;
    type Point = Point;

    fn upgrade(results: &mut Results) {
        results.measurements.iter_mut().for_each(|one| rename_old_metrics(&mut one.metrics));
    }

    fn tables(results: &Results) -> String {
        page::tables(results)
    }

    fn page(results: &Results, plots: &[Plot]) -> String {
        page::page(results, plots)
    }

    fn plots(results: &Results) -> anyhow::Result<Vec<Plot>> {
        plots::plots(results)
    }

    /// Only errors of Tidings count.
    fn is_correct(results: &Results) -> bool {
        let own = [System::Tidings, System::TidingsAcked];
        own.iter().all(|system| delivery_totals(results, *system).error_count() == 0.0)
    }
}
