//! The page of the documentation, and the same tables for a terminal.

use std::fmt::Write as _;

use bench_kit::markdown::table;
use bench_kit::metrics::delivery_table;
use bench_kit::report::{write_caveats, write_head, write_not_measured};
use bench_kit::spread::table_cell;
use bench_kit::{Plot, number};

use super::rows::ROWS;
use super::targets;
use crate::results::{Results, delivery_totals, spread, steal_time, systems};

/// Formats the tables in Markdown.
pub(super) fn tables(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_caveats(&mut text, results);
    let targets = target_section(results);
    if !targets.is_empty() {
        text = text + &targets + "\n";
    }
    text.push_str(&metric_section(results));
    text.push_str(&delivery_section(results));
    let _ = write_not_measured(&mut text, results);
    text
}

/// Formats the whole page. The plots are in the same folder.
pub(super) fn page(results: &Results, plots: &[Plot]) -> String {
    let mut text = String::new();
    let _ = write_head(&mut text, results, "peers", "Tidings beside its peers");
    let _ = writeln!(
        text,
        "{} users, payloads of {} bytes. The systems take turns within each run.\n",
        number(results.scale.users.into()),
        results.scale.payload_bytes
    );
    if let Some(stolen) = steal_time(results) {
        let _ = writeln!(
            text,
            "The machine is virtual. Its host gave {} % of the processors' time to others during a measurement \
             (median; {} to {} %).\n",
            number(stolen.median),
            number(stolen.min),
            number(stolen.max)
        );
    }
    text.push_str(&tables(results));
    text.push_str("\n## Plots\n\nBars are medians; whiskers show the smallest and the largest value.\n\n");
    for plot in plots {
        let _ = writeln!(text, "![{}]({})", plot.title, plot.file);
    }
    text
}

fn target_section(results: &Results) -> String {
    let outcomes = targets::outcomes(results);
    if outcomes.is_empty() {
        return String::new();
    }
    let rows = outcomes.into_iter().map(|outcome| {
        let verdict = if outcome.is_met { "met" } else { "**missed**" };
        [outcome.label.to_owned(), outcome.target, table_cell(Some(outcome.found)), verdict.to_owned()]
    });
    let headings = ["", "target", "found", ""].map(str::to_owned);
    format!("## Targets\n\nRatios are taken within each run.\n\n{}", table(headings, rows))
}

fn metric_section(results: &Results) -> String {
    let systems = systems(results);
    let headings = [String::new()].into_iter().chain(systems.iter().map(|system| system.name()));
    let rows = ROWS.iter().filter_map(|row| {
        let cells: Vec<_> = systems.iter().map(|system| spread(results, (*system, row.metric))).collect();
        cells.iter().any(Option::is_some).then(|| {
            let cells =
                cells.into_iter().map(|cell| table_cell(cell.map(|spread| spread.scaled(row.factor))));
            [row.label.to_owned()].into_iter().chain(cells).collect()
        })
    });
    format!("## Metrics\n\n{}", table(headings.collect::<Vec<_>>(), rows))
}

fn delivery_section(results: &Results) -> String {
    let totals = systems(results).into_iter().map(|system| (system.name(), delivery_totals(results, system)));
    format!(
        "\n## Delivery errors\n\nOver all runs, in all cases without a fault.\n\n{}",
        delivery_table(totals)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn page_has_measured_and_missing_points() {
        let page = page(&example(), &[]);
        for line in [
            "| online rate, relative to the baseline | ≥ 0.5 | 0.375 (0.25–0.5) | **missed** |",
            "| | tidings | baseline |",
            "| online, unthrottled, /s | 200 (100–300) | 500 (400–600) |",
            "| baseline | 10 | 2 | 0 | 0 | 0 |",
            "- many-connections on nats: too few files",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
