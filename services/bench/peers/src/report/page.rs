//! The page of the documentation, and the same table for a terminal.

use std::fmt::Write as _;

use bench_kit::figures::soundness_table;
use bench_kit::spread::cell;
use bench_kit::{Plot, number};

use super::figures::FIGURES;
use super::targets;
use crate::results::Results;

/// The tables, in Markdown.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = String::new();
    if results.quick {
        text.push_str("Measured with small numbers, not with those the lines name: this says that all works, no more.\n\n");
    }
    // Writing to a string does not fail.
    let _ = write_targets(results, &mut text);
    let _ = write_figures(results, &mut text);
    let _ = write_soundness(results, &mut text);
    let _ = write_left_out(results, &mut text);
    text
}

/// The whole page; the plots stand in the same folder.
pub(crate) fn page(results: &Results, plots: &[Plot]) -> String {
    let mut text = String::new();
    let _ = write_head(results, &mut text);
    text.push_str(&tables(results));
    text.push_str("\n## Plots\n\nBars are medians, whiskers the least and the most of all runs.\n\n");
    for plot in plots {
        let _ = writeln!(text, "![{}]({})", plot.title, plot.file);
    }
    text
}

fn write_head(results: &Results, text: &mut String) -> std::fmt::Result {
    writeln!(text, "# Tidings beside its peers\n")?;
    writeln!(
        text,
        "Written by `{}`; [what each system is, how it is driven and what a figure says](../reference/bench-peers.md). The \
         same figures run by run are in [peers.json](peers.json).\n",
        results.command
    )?;
    let versions = results.versions.iter().map(|(name, version)| format!("{name} {version}"));
    writeln!(text, "{}. {}.\n", results.machine.description(), versions.collect::<Vec<_>>().join(", "))?;
    writeln!(
        text,
        "{} users, payloads of {} bytes, runs: {}, in which systems take turns. The first number is the median, in \
         brackets the least and the most.\n",
        number(results.scale.users.into()),
        results.scale.payload_bytes,
        results.runs
    )?;
    results.stolen().map_or(Ok(()), |stolen| {
        writeln!(
            text,
            "The machine is virtual: of its processors' time the host kept {} % for others while these were measured \
             (median; {} to {} %).\n",
            number(stolen.median),
            number(stolen.min),
            number(stolen.max)
        )
    })
}

fn write_targets(results: &Results, text: &mut String) -> std::fmt::Result {
    let fared = targets::fared(results);
    if fared.is_empty() {
        return Ok(());
    }
    writeln!(text, "## Targets\n\nRatios are taken within each run.\n")?;
    writeln!(text, "| | target | found | |\n|---|---|---|---|")?;
    for target in fared {
        let verdict = if target.passes { "met" } else { "**missed**" };
        writeln!(
            text,
            "| {} | {} | {} | {verdict} |",
            target.label,
            target.target,
            cell(Some(target.found), 1.0)
        )?;
    }
    Ok(())
}

fn write_figures(results: &Results, text: &mut String) -> std::fmt::Result {
    let systems = results.systems();
    writeln!(text, "\n## Figures\n")?;
    write!(text, "| |")?;
    systems.iter().try_for_each(|system| write!(text, " {} |", system.name()))?;
    writeln!(text, "\n|---|{}", "---|".repeat(systems.len()))?;
    for figure in FIGURES {
        let cells: Vec<_> = systems.iter().map(|system| results.spread(*system, figure.key)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        write!(text, "| {} |", figure.label)?;
        cells.into_iter().try_for_each(|spread| write!(text, " {} |", cell(spread, figure.factor)))?;
        writeln!(text)?;
    }
    Ok(())
}

fn write_soundness(results: &Results, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n## What was lost without any fault\n")?;
    writeln!(text, "Over all runs and all cases but those with a kill or a drop.\n")?;
    let rows = results.systems().into_iter().map(|system| (system.name(), results.soundness(system)));
    text.push_str(&soundness_table(rows));
    Ok(())
}

fn write_left_out(results: &Results, text: &mut String) -> std::fmt::Result {
    if results.left_out.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## Not measured\n")?;
    for left_out in &results.left_out {
        writeln!(text, "- {} of {}: {}", left_out.case.name(), left_out.system.name(), left_out.reason)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn the_page_says_what_was_measured_and_what_was_not() {
        let page = page(&example(), &[]);
        for line in [
            "| online to the line | ≥ 0.3 | 0.375 (0.25–0.5) | met |",
            "| | tidings | line |",
            "| online, as many as possible, /s | 200 (100–300) | 500 (400–600) |",
            "| line | 10 | 2 | 0 | 0 | 0 |",
            "- crowd of nats: too few files",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
