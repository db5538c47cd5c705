//! Measures how the cost of a notification grows: with users, backlog, stored notifications, payloads,
//! devices and hubs.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

mod growth;
mod loads;
mod outcome;
mod report;
mod results;
mod scale;
mod server;
mod sweep;
mod sweeps;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use bench_kit::metrics::last_part;
use bench_kit::options::{command_line, warn_about_old_names};
use bench_kit::report::run;
use bench_kit::results::PartialRun;
use bench_kit::version::version_of;
use bench_kit::{
    Benchmark as _, Interrupted, Measurement, Metrics, NotMeasured, Options, Runner, number, progress,
};
use clap::{Parser, ValueEnum as _};

use outcome::Outcome;
use report::Scaling;
use results::Results;
use scale::Scale;
use sweep::{Point, Sweep};

/// Measure how the cost of a notification grows.
///
/// scripts/bench-scaling builds Tidings and passes its path. Exits with 1 if anything was lost, repeated or
/// out of order.
#[derive(Debug, Parser)]
#[command(name = "bench-scaling", version)]
struct Arguments {
    /// Measure only these sweeps
    #[arg(long, alias = "curves", value_enum, value_delimiter = ',', conflicts_with = "from")]
    sweeps: Vec<Sweep>,
    /// Leave out points with a larger input, such as the number of users
    #[arg(
        long,
        value_name = "INPUT",
        default_value_t = u32::MAX,
        hide_default_value = true,
        conflicts_with = "from"
    )]
    up_to: u32,
    #[command(flatten)]
    options: Options<3>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    warn_about_old_names(&[("--curves", "--sweeps")]);
    run::<Scaling, 3>(&arguments.options, || measure(&arguments))
}

fn measure(arguments: &Arguments) -> anyhow::Result<Results> {
    let options = &arguments.options;
    let program = options.tidings.as_ref().context("--tidings is not set")?;
    let version = version_of(Command::new(program).arg("--version"));
    let version = version.with_context(|| format!("{} does not print its version", program.display()))?;
    let versions = [("Tidings".to_owned(), version)].into();
    let scale = if options.quick { Scale::quick() } else { Scale::full() };
    let mut results = Results::new(options, command_line(Scaling::NAME), scale, versions)?;
    results.measure_runs(PartialRun::Keep, |run, runner, results| {
        measure_run(run, runner, arguments, program, results)
    })?;
    Ok(results)
}

/// Measures every point of the chosen sweeps once.
fn measure_run(
    run: u32,
    runner: &mut Runner,
    Arguments { sweeps, up_to, .. }: &Arguments,
    program: &Path,
    results: &mut Results,
) -> Result<(), Interrupted> {
    let scale = results.scale.clone();
    let is_chosen = |sweep: &Sweep| sweeps.is_empty() || sweeps.contains(sweep);
    for &sweep in Sweep::value_variants().iter().filter(|sweep| is_chosen(sweep)) {
        let is_wanted = |input: &&u32| *input <= up_to && sweep.is_measured_in(run, **input);
        for &input in sweep.inputs(&scale).iter().filter(is_wanted) {
            let point = Point { sweep, input };
            let label = format!("run {run} of {}: {point}", results.runs);
            let (outcome, failure) = match runner.run(sweeps::measure(point, program, &scale))? {
                Ok(outcome) => (outcome, None),
                Err(error) => (Outcome::default(), Some(format!("the whole point: {error:#}"))),
            };
            progress(&format!("{label}: {}", summary(&outcome.metrics)));
            let not_measured = outcome.not_measured.into_iter().map(|reason| (reason, false));
            for (reason, failed) in not_measured.chain(failure.map(|reason| (reason, true))) {
                let one = NotMeasured { point, reason, failed };
                if !results.not_measured.contains(&one) {
                    progress(&format!("{label}: not measured: {}", one.reason));
                    results.not_measured.push(one);
                }
            }
            if !outcome.metrics.is_empty() {
                results.measurements.push(Measurement { run, point, metrics: outcome.metrics });
            }
        }
    }
    Ok(())
}

/// Formats the metrics that are shown as progress.
fn summary(metrics: &Metrics) -> String {
    let shown = ["cpuMicros", "perSecond", "readySeconds", "countedSeconds", "diskBytes", "rssBytes", "lost"];
    let all = metrics.iter().filter(|(name, value)| {
        let last = last_part(name);
        shown.contains(&last) && (last != "lost" || **value > 0.0)
    });
    let texts: Vec<_> = all.map(|(name, value)| format!("{name} {}", number(*value))).collect();
    texts.join(", ")
}
