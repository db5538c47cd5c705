//! The page of the documentation, and the same tables for a terminal.

use std::fmt::Write as _;

use bench_kit::markdown::table;
use bench_kit::metrics::delivery_table;
use bench_kit::report::{write_caveats, write_head, write_not_measured};
use bench_kit::spread::table_cell;
use bench_kit::{Plot, number};

use super::findings::finding;
use super::plots::file_prefix;
use super::rows::{SweepTable, sweep_table};
use crate::growth::TOLERANCE;
use crate::results::{Results, along, delivery_totals, growth, sweeps};
use crate::sweep::Sweep;

/// Formats the tables in Markdown.
pub(super) fn tables(results: &Results) -> String {
    sections(results, &[])
}

/// Formats the whole page. The plots are in the same folder.
pub(super) fn page(results: &Results, plots: &[Plot]) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_head(&mut text, results, "scaling", "How the cost grows");
    let _ = writeln!(text, "µs are the server's processor time for one notification.\n");
    text + &sections(results, plots)
}

fn sections(results: &Results, plots: &[Plot]) -> String {
    let mut text = String::new();
    let _ = write_caveats(&mut text, results);
    text.push_str(&growth_section(results));
    for sweep in sweeps(results) {
        text.push_str(&sweep_section(results, sweep, plots));
    }
    text.push_str(&delivery_section(results));
    let _ = write_not_measured(&mut text, results);
    text
}

/// Formats the table of the metrics that must not grow.
fn growth_section(results: &Results) -> String {
    let mut rows = Vec::new();
    for sweep in sweeps(results) {
        let SweepTable { title, input, rows: metrics } = sweep_table(sweep);
        for row in metrics.iter().filter(|row| row.must_be_flat) {
            let Some(growth) = growth(results, sweep, row.metric) else { continue };
            let verdict = match (growth.is_growing(), finding(sweep)) {
                (false, _) => "",
                (true, None) => "**grows faster than its input**",
                (true, Some(_)) => "**grows faster than its input**: see below",
            };
            let [from, to] = [growth.first, growth.last]
                .map(|(at, value)| format!("{} at {}", number(value * row.factor), number(at)));
            rows.push([
                format!("{title} ({input})"),
                row.label.to_owned(),
                from,
                to,
                format!("{:.2}", growth.exponent),
                number(growth.to_smallest),
                verdict.to_owned(),
            ]);
        }
    }
    let headings = ["sweep", "", "from", "to", "exponent", "last to smallest", ""].map(str::to_owned);
    format!(
        "## Growth\n\nThe exponent is the slope between the first and the last point on logarithmic scales: 0 is flat. \
         A metric whose last value is more than {TOLERANCE} times its smallest grows faster than its input.\n\n{}",
        table(headings, rows)
    )
}

fn sweep_section(results: &Results, sweep: Sweep, plots: &[Plot]) -> String {
    let SweepTable { title, input, rows } = sweep_table(sweep);
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row, along(results, sweep, row.metric)))
        .filter(|(_, along)| !along.is_empty())
        .collect();
    let mut inputs: Vec<u32> =
        shown.iter().flat_map(|(_, along)| along.iter().map(|(input, _)| *input)).collect();
    inputs.sort_unstable();
    inputs.dedup();
    let headings = inputs.iter().map(|input| number(f64::from(*input)));
    let headings = [input.to_owned()].into_iter().chain(headings).collect::<Vec<_>>();
    let rows = shown.into_iter().map(|(row, along)| {
        let cells = inputs.iter().map(|input| {
            let spread = along.iter().find(|(at, _)| at == input).map(|(_, spread)| *spread);
            table_cell(spread.map(|spread| spread.scaled(row.factor)))
        });
        [row.label.to_owned()].into_iter().chain(cells).collect()
    });

    let mut text = format!("\n## {title}\n\n");
    if let Some(finding) = finding(sweep) {
        let _ = writeln!(text, "{finding}\n");
    }
    text.push_str(&table(headings, rows));
    let prefix = file_prefix(sweep);
    let own: Vec<_> = plots.iter().filter(|plot| plot.file.starts_with(&prefix)).collect();
    if !own.is_empty() {
        text.push('\n');
    }
    for plot in own {
        let _ = writeln!(text, "![{}]({})", plot.title, plot.file);
    }
    text
}

fn delivery_section(results: &Results) -> String {
    let totals = sweeps(results).into_iter().map(|sweep| (sweep.name(), delivery_totals(results, sweep)));
    format!("\n## Delivery errors\n\n{}", delivery_table(totals))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn page_has_sweeps_and_their_growth() {
        let page = page(&example(), &[]);
        for line in [
            "| Users (users) | online, µs | 12 at 100 | 24 at 1,000 | 0.30 | 2 | **grows faster than its input**: see below |",
            "| users | 100 | 1,000 |",
            "| online, µs | 12 (10–14) | 24 (20–28) |",
            "| users | 28 | 0 | 0 | 0 | 0 |",
            "- hub, 100: too few files",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
