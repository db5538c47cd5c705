//! The report and the exit code of a benchmark.

use std::fmt::{self, Display, Write as _};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::options::Options;
use crate::plot::Plot;
use crate::results::Results;
use crate::runner::progress;

/// A benchmark, as far as its report is concerned.
pub trait Benchmark {
    /// Stem of the report's files: `NAME.md`, `NAME.json`, `NAME-….svg`.
    const NAME: &'static str;
    /// Amounts that are measured with.
    type Scale: Serialize + DeserializeOwned;
    /// A measurement within a run.
    type Point: Serialize + DeserializeOwned + Display;

    /// Converts results that an older version stored.
    fn upgrade(_results: &mut Results<Self::Scale, Self::Point>) {}

    /// Formats the tables in Markdown, for a terminal.
    fn tables(results: &Results<Self::Scale, Self::Point>) -> String;

    /// Formats the whole page in Markdown. The plots are in the same folder.
    fn page(results: &Results<Self::Scale, Self::Point>, plots: &[Plot]) -> String;

    /// Draws the plots of the page.
    ///
    /// # Errors
    /// A plot can't be drawn.
    fn plots(results: &Results<Self::Scale, Self::Point>) -> anyhow::Result<Vec<Plot>>;

    /// Returns false if the results have an error that the exit code must show, such as a lost notification.
    fn is_correct(results: &Results<Self::Scale, Self::Point>) -> bool;
}

/// Measures, or reads earlier results, and writes the report that the options ask for.
///
/// Returns the exit code: 0 if the results are correct, 1 if not, 2 after an error, which is printed.
pub fn run<B: Benchmark, const RUNS: u32>(
    options: &Options<RUNS>,
    measure: impl FnOnce() -> anyhow::Result<Results<B::Scale, B::Point>>,
) -> ExitCode {
    match try_run::<B, RUNS>(options, measure) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn try_run<B: Benchmark, const RUNS: u32>(
    options: &Options<RUNS>,
    measure: impl FnOnce() -> anyhow::Result<Results<B::Scale, B::Point>>,
) -> anyhow::Result<bool> {
    let results = match &options.from {
        Some(file) => read::<B>(file)?,
        None => measure()?,
    };
    if let Some(file) = &options.json {
        write(file, &serde_json::to_string_pretty(&results)?)?;
    }
    if let Some(folder) = &options.page {
        fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
        let plots = B::plots(&results)?;
        for plot in &plots {
            write(&folder.join(&plot.file), &plot.svg)?;
        }
        write(&folder.join(format!("{}.md", B::NAME)), &B::page(&results, &plots))?;
        write(&folder.join(format!("{}.json", B::NAME)), &serde_json::to_string(&results)?)?;
    }
    print(&B::tables(&results));
    Ok(B::is_correct(&results))
}

fn read<B: Benchmark>(file: &Path) -> anyhow::Result<Results<B::Scale, B::Point>> {
    let text = fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    let mut results = serde_json::from_str(&text)
        .with_context(|| format!("{} has no results of bench-{}", file.display(), B::NAME))?;
    B::upgrade(&mut results);
    Ok(results)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("can't write {}", file.display()))
}

#[allow(clippy::print_stdout, reason = "the tables are the program's output")]
fn print(text: &str) {
    println!("{text}");
}

/// Writes the head of a page: title, source, machine and versions.
///
/// # Errors
/// Those of the formatter; writing to a string never fails.
pub fn write_head<S, P>(text: &mut String, results: &Results<S, P>, name: &str, title: &str) -> fmt::Result {
    writeln!(text, "# {title}\n")?;
    writeln!(
        text,
        "Written by `{}`: [method](../reference/bench-{name}.md), [results of every run]({name}.json).\n",
        results.command
    )?;
    let versions = results.versions.iter().map(|(name, version)| format!("{name} {version}"));
    writeln!(text, "{}. {}.\n", results.machine.description(), versions.collect::<Vec<_>>().join(", "))?;
    writeln!(
        text,
        "Number of runs: {}. A cell has the median and, in brackets, the smallest and the largest value.\n",
        results.runs
    )
}

/// Writes what limits the meaning of the results, if anything does.
///
/// # Errors
/// Those of the formatter; writing to a string never fails.
pub fn write_caveats<S, P>(text: &mut String, results: &Results<S, P>) -> fmt::Result {
    if results.quick {
        writeln!(
            text,
            "A quick run with small numbers: it shows that everything works, and nothing else.\n"
        )?;
    }
    if results.incomplete {
        writeln!(text, "The run was interrupted: points are missing.\n")?;
    }
    Ok(())
}

/// Writes the list of points that were not measured, if there are any.
///
/// # Errors
/// Those of the formatter; writing to a string never fails.
pub fn write_not_measured<S, P: Display>(text: &mut String, results: &Results<S, P>) -> fmt::Result {
    if results.not_measured.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## Not measured\n")?;
    results.not_measured.iter().try_for_each(|one| writeln!(text, "- {}: {}", one.point, one.reason))
}
