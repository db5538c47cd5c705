//! Measures what a notification costs Tidings as users, backlog, what is stored, payloads, devices and hubs grow.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

mod curves;
mod growth;
mod report;
mod results;
mod scale;
mod world;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use bench_kit::machine::version_of;
use bench_kit::program::{read, say, show, until_interrupted, write};
use bench_kit::{Figures, Machine, number};
use clap::{Parser, ValueEnum as _};

use curves::{Curve, Point};
use results::{LeftOut, Measurement, Results};
use scale::Scale;

/// Measure what a notification costs Tidings as something grows; scripts/bench-scaling builds it and says where it is.
/// Exits with 1 when anything was lost, repeated or out of order.
#[derive(Debug, Parser)]
#[command(name = "bench-scaling", version)]
struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only these curves
    #[arg(long, value_enum, value_delimiter = ',')]
    curves: Vec<Curve>,
    /// No point with more users, notifications or whatever a curve's input is
    #[arg(long, value_name = "INPUT", default_value_t = u32::MAX, hide_default_value = true)]
    up_to: u32,
    /// One run with small numbers, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Write all figures there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the page, its plots and its figures into this folder
    #[arg(long, value_name = "FOLDER")]
    page: Option<PathBuf>,
    /// Measure nothing: take the figures of an earlier call from there
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "curves", "up_to", "runs", "quick"])]
    from: Option<PathBuf>,
    /// The program of Tidings
    #[arg(long, value_name = "FILE")]
    tidings: Option<PathBuf>,
}

fn main() -> ExitCode {
    match measure_and_report(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn measure_and_report(options: &Options) -> anyhow::Result<ExitCode> {
    let results = match &options.from {
        Some(file) => read(file)?,
        None => measure(options)?,
    };
    if let Some(file) = &options.json {
        write(file, &serde_json::to_string_pretty(&results)?)?;
    }
    if let Some(folder) = &options.page {
        fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
        let plots = report::plots::plots(&results)?;
        for plot in &plots {
            write(&folder.join(&plot.file), &plot.svg)?;
        }
        write(&folder.join("scaling.md"), &report::page::page(&results, &plots))?;
        write(&folder.join("scaling.json"), &serde_json::to_string(&results)?)?;
    }
    show(&report::page::tables(&results));
    Ok(if results.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(options: &Options) -> anyhow::Result<Results> {
    let program = options.tidings.as_ref().context("--tidings does not say where Tidings is")?;
    let version = version_of(Command::new(program).arg("--version"));
    let mut results = Results {
        machine: Machine::here()?,
        version: version.with_context(|| format!("{} does not say its version", program.display()))?,
        command: std::env::var("BENCH_SCALING_COMMAND").unwrap_or_else(|_| "bench-scaling".to_owned()),
        scale: if options.quick { Scale::quick() } else { Scale::full() },
        quick: options.quick,
        runs: if options.quick { 1 } else { options.runs },
        measurements: Vec::new(),
        left_out: Vec::new(),
    };
    let chosen = |curve: Curve| options.curves.is_empty() || options.curves.contains(&curve);
    let curves: Vec<_> = Curve::value_variants().iter().copied().filter(|curve| chosen(*curve)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scale = results.scale.clone();
    for run in 1..=results.runs {
        for &curve in &curves {
            let wanted = |input: &&u32| **input <= options.up_to && curve.is_for_run(**input, run);
            for &input in curve.inputs(&scale).iter().filter(wanted) {
                let label =
                    format!("run {run} of {}: {}, {}", results.runs, curve.name(), number(f64::from(input)));
                let measured = until_interrupted(&runtime, curves::measure(curve, input, program, &scale))?;
                let (point, failure) = match measured {
                    Ok(point) => (point, None),
                    Err(error) => (Point::default(), Some(format!("all of it: {error:#}"))),
                };
                say(&format!("{label}: {}", summary(&point.figures)));
                let left_out = point.left_out.into_iter().map(|what| (what, false));
                for (what, failed) in left_out.chain(failure.map(|what| (what, true))) {
                    let left_out = LeftOut { curve, input, what, failed };
                    if !results.left_out.contains(&left_out) {
                        say(&format!("{label}: not {}", left_out.what));
                        results.left_out.push(left_out);
                    }
                }
                if !point.figures.is_empty() {
                    results.measurements.push(Measurement { run, curve, input, figures: point.figures });
                }
            }
        }
    }
    Ok(results)
}

/// What is worth seeing while more is measured.
fn summary(figures: &Figures) -> String {
    let shown = ["cpuMicros", "perSecond", "readySeconds", "countedSeconds", "diskBytes", "rssBytes", "lost"];
    let all = figures.iter().filter(|(key, value)| {
        let last = bench_kit::figures::last_part(key);
        shown.contains(&last) && (last != "lost" || **value > 0.0)
    });
    let texts: Vec<_> = all.map(|(key, value)| format!("{key} {}", number(*value))).collect();
    texts.join(", ")
}
