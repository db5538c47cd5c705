//! The page of the documentation, and the same tables for a terminal.

use std::fmt::{Result, Write as _};

use bench_kit::figures::soundness_table;
use bench_kit::spread::cell;
use bench_kit::{Plot, number};

use super::figures::{About, Figure, about};
use super::found;
use crate::curves::Curve;
use crate::growth::ALLOWED;
use crate::results::Results;

/// The tables, in Markdown.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = String::new();
    if results.quick {
        text.push_str("Measured with small numbers: this says that all works, no more.\n\n");
    }
    // Writing to a string does not fail.
    let _ = write_growth(results, &mut text);
    for curve in results.curves() {
        let _ = write_curve(results, curve, &[], &mut text);
    }
    let _ = write_soundness(results, &mut text);
    let _ = write_left_out(results, &mut text);
    text
}

/// The whole page; the plots stand in the same folder.
pub(crate) fn page(results: &Results, plots: &[Plot]) -> String {
    let mut text = String::new();
    let _ = write_head(results, &mut text);
    let _ = write_growth(results, &mut text);
    for curve in results.curves() {
        let _ = write_curve(results, curve, plots, &mut text);
    }
    let _ = write_soundness(results, &mut text);
    let _ = write_left_out(results, &mut text);
    text
}

fn write_head(results: &Results, text: &mut String) -> Result {
    writeln!(text, "# How the cost grows\n")?;
    writeln!(
        text,
        "Written by `{}`; [what is measured and how](../reference/bench-scaling.md). The same figures run by run are in \
         [scaling.json](scaling.json).\n",
        results.command
    )?;
    if results.quick {
        writeln!(text, "Measured with small numbers: this says that all works, no more.\n")?;
    }
    writeln!(
        text,
        "{}. Tidings {}; runs: {}. The first number is the median, in brackets the least and the most. µs are of \
         the server's processor time for one notification.\n",
        results.machine.description(),
        results.version,
        results.runs
    )
}

/// The figures that must not grow, and how they do.
fn write_growth(results: &Results, text: &mut String) -> Result {
    writeln!(text, "## Growth\n")?;
    writeln!(
        text,
        "The exponent is the slope between the first and the last point, both on a logarithmic scale: 0 is flat. What \
         is at the last point more than {ALLOWED} times the least grows faster than its input.\n"
    )?;
    writeln!(text, "| curve | | from | to | exponent | last to least | |\n|---|---|---|---|---|---|---|")?;
    for curve in results.curves() {
        let About { title, input, figures } = about(curve);
        for figure in figures.iter().filter(|figure| figure.is_flat) {
            let Some(growth) = results.growth(curve, figure.key) else { continue };
            let verdict = match (growth.is_growing(), found::about(curve)) {
                (false, _) => "",
                (true, None) => "**grows faster than its input**",
                (true, Some(_)) => "**grows faster than its input**: see below",
            };
            let [from, to] = [growth.first, growth.last]
                .map(|(at, value)| format!("{} at {}", number(value * figure.factor), number(at)));
            let (exponent, to_least) = (growth.exponent, number(growth.to_least));
            writeln!(
                text,
                "| {title} ({input}) | {} | {from} | {to} | {exponent:.2} | {to_least} | {verdict} |",
                figure.label
            )?;
        }
    }
    Ok(())
}

fn write_curve(results: &Results, curve: Curve, plots: &[Plot], text: &mut String) -> Result {
    let About { title, input, figures } = about(curve);
    let shown: Vec<(&Figure, _)> = figures
        .iter()
        .map(|figure| (figure, results.along(curve, figure.key)))
        .filter(|(_, along)| !along.is_empty())
        .collect();
    let mut inputs: Vec<u32> =
        shown.iter().flat_map(|(_, along)| along.iter().map(|(input, _)| *input)).collect();
    inputs.sort_unstable();
    inputs.dedup();
    writeln!(text, "\n## {title}\n")?;
    if let Some(found) = found::about(curve) {
        writeln!(text, "{found}\n")?;
    }
    write!(text, "| {input} |")?;
    inputs.iter().try_for_each(|input| write!(text, " {} |", number(f64::from(*input))))?;
    writeln!(text, "\n|---|{}", "---|".repeat(inputs.len()))?;
    for (figure, along) in shown {
        write!(text, "| {} |", figure.label)?;
        for input in &inputs {
            let spread = along.iter().find(|(at, _)| at == input).map(|(_, spread)| *spread);
            write!(text, " {} |", cell(spread, figure.factor))?;
        }
        writeln!(text)?;
    }
    let prefix = super::plots::prefix(curve);
    let own: Vec<_> = plots.iter().filter(|plot| plot.file.starts_with(&prefix)).collect();
    if !own.is_empty() {
        writeln!(text)?;
    }
    own.iter().try_for_each(|plot| writeln!(text, "![{}]({})", plot.title, plot.file))
}

fn write_soundness(results: &Results, text: &mut String) -> Result {
    writeln!(text, "\n## What was lost\n")?;
    let rows = results.curves().into_iter().map(|curve| (curve.name(), results.soundness(curve)));
    text.push_str(&soundness_table(rows));
    Ok(())
}

fn write_left_out(results: &Results, text: &mut String) -> Result {
    if results.left_out.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## Not measured\n")?;
    for one in &results.left_out {
        writeln!(text, "- {}, {}: {}", one.curve.name(), number(f64::from(one.input)), one.what)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn the_page_says_what_was_measured_and_what_grows() {
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
