//! The report of the sweeps: tables, page, plots and exit code.

mod findings;
mod page;
mod plots;
mod rows;

use bench_kit::{Benchmark, Plot};

use crate::results::{Results, is_correct};
use crate::scale::Scale;
use crate::sweep::Point;

/// The measurement of how costs grow.
pub(crate) struct Scaling;

impl Benchmark for Scaling {
    const NAME: &'static str = "scaling";
    type Scale = Scale;
    type Point = Point;

    fn tables(results: &Results) -> String {
        page::tables(results)
    }

    fn page(results: &Results, plots: &[Plot]) -> String {
        page::page(results, plots)
    }

    fn plots(results: &Results) -> anyhow::Result<Vec<Plot>> {
        plots::plots(results)
    }

    fn is_correct(results: &Results) -> bool {
        is_correct(results)
    }
}
