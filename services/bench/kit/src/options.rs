//! The command line of a benchmark.

use std::path::PathBuf;

use clap::Args;

use crate::runner::progress;

/// Options of every benchmark. `RUNS` is the default number of runs.
#[derive(Debug, Args)]
pub struct Options<const RUNS: u32> {
    /// Number of runs
    #[arg(long, default_value_t = RUNS, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Make one run with small numbers, to check that everything works
    #[arg(long)]
    pub quick: bool,
    /// Write the results of all runs to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the page, its plots and the results into this folder
    #[arg(long, value_name = "FOLDER")]
    pub page: Option<PathBuf>,
    /// Measure nothing: read the results of an earlier call from this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "runs", "quick"])]
    pub from: Option<PathBuf>,
    /// Path of the `tidings` program
    #[arg(long, value_name = "FILE")]
    pub tidings: Option<PathBuf>,
}

/// Returns the command line to show in a report: that of the script that started this program, else its name.
///
/// The script passes it in `BENCH_NAME_COMMAND`.
pub fn command_line(name: &str) -> String {
    let variable = format!("BENCH_{}_COMMAND", name.to_uppercase());
    std::env::var(variable).unwrap_or_else(|_| format!("bench-{name}"))
}

/// Warns about each argument that has a new name. The old one, such as `--curves` or a value, still works.
pub fn warn_about_old_names(renamed: &[(&str, &str)]) {
    for argument in std::env::args().skip(1) {
        for part in argument.split([',', '=']) {
            if let Some((old, new)) = renamed.iter().find(|(old, _)| *old == part) {
                progress(&format!("warning: {old} is now {new}; the old name goes in the next release"));
            }
        }
    }
}
