//! Measures Tidings beside other servers that push.
//!
//! Each server gets the same load by its own protocol. Within a run, each case goes over all systems before
//! the next case, so that changes of the machine affect all of them.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

mod baseline;
mod case;
mod cases;
mod protocol;
mod report;
mod results;
mod scale;
mod server;
mod synced_baseline;
mod systems;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench_kit::options::{command_line, warn_about_old_names};
use bench_kit::report::run;
use bench_kit::results::PartialRun;
use bench_kit::steal::StealTime;
use bench_kit::{
    Benchmark as _, Interrupted, Measurement, Metrics, NotMeasured, Options, Runner, number, progress,
};
use clap::{Parser, ValueEnum as _};

use case::{Case, Point};
use report::Peers;
use results::{Results, STEAL_TIME};
use scale::Scale;
use systems::System;
use tools::Tools;

/// Longest time without arrivals that a quick run waits for in a case.
const MAX_QUICK: Duration = Duration::from_secs(30);

/// Measure Tidings beside other servers that push.
///
/// scripts/bench-peers finds or installs these and passes their paths. Exits with 1 if Tidings lost, repeated
/// or misordered anything.
#[derive(Debug, Parser)]
#[command(name = "bench-peers", version)]
struct Arguments {
    /// Measure only these cases
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "from")]
    cases: Vec<Case>,
    /// Measure only these systems
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "from")]
    systems: Vec<System>,
    #[command(flatten)]
    options: Options<5>,
    #[command(flatten)]
    tools: Tools,
    /// Serve as the baseline
    #[arg(long, hide = true)]
    serve_baseline: bool,
    /// Serve as the synced baseline, with a file in this folder
    #[arg(long, hide = true, value_name = "FOLDER")]
    serve_synced_baseline: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    warn_about_old_names(&[("line", "baseline"), ("crowd", "many-connections")]);
    run::<Peers, 5>(&arguments.options, || {
        if arguments.serve_baseline {
            baseline::serve()?;
        }
        if let Some(folder) = &arguments.serve_synced_baseline {
            synced_baseline::serve(folder)?;
        }
        measure(&arguments)
    })
}

fn measure(arguments: &Arguments) -> anyhow::Result<Results> {
    let Arguments { options, tools, .. } = arguments;
    let tools = Tools { tidings: options.tidings.clone(), ..tools.clone() };
    let scale = if options.quick { Scale::quick() } else { Scale::full() };
    let mut results = Results::new(options, command_line(Peers::NAME), scale, tools.versions())?;
    results.measure_runs(PartialRun::Discard, |run, runner, results| {
        measure_run(run, runner, arguments, &tools, results)
    })?;
    Ok(results)
}

/// Measures every chosen case on every chosen system once.
fn measure_run(
    run: u32,
    runner: &mut Runner,
    Arguments { cases, systems, options, .. }: &Arguments,
    tools: &Tools,
    results: &mut Results,
) -> Result<(), Interrupted> {
    let is_chosen = |case: &Case| cases.is_empty() || cases.contains(case);
    let is_wanted = |system: &System| systems.is_empty() || systems.contains(system);
    for &case in Case::value_variants().iter().filter(|case| is_chosen(case)) {
        let systems = System::value_variants().iter().filter(|system| is_wanted(system));
        for &system in systems.filter(|system| case.applies_to(**system)) {
            let point = Point { case, system };
            let label = format!("run {run} of {}: {point}", results.runs);
            let is_known = results.not_measured.iter().any(|one| one.point == point);
            // The memory of a connection hardly varies, and opening 50,000 connections takes long.
            if is_known || (case == Case::ManyConnections && run > 1) {
                continue;
            }
            let too_slow = options.quick && case == Case::Interrupted && system.quiet_period() > MAX_QUICK;
            let too_slow = too_slow.then(|| "it takes 30 s, too long for a quick run".to_owned());
            let steal_time = StealTime::start();
            let outcome = match tools.unavailable(system, &results.versions).or(too_slow) {
                Some(reason) => Err(anyhow::anyhow!(reason)),
                None => runner.run(cases::measure(point, tools, &results.scale))?,
            };
            match outcome {
                Ok(mut metrics) => {
                    let stolen = steal_time.percent();
                    metrics.extend(stolen.map(|percent| (format!("{}.{STEAL_TIME}", case.name()), percent)));
                    progress(&format!("{label}: {}", summary(case, &metrics)));
                    results.measurements.push(Measurement { run, point, metrics });
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    progress(&format!("{label}: {reason}"));
                    results.not_measured.push(NotMeasured { point, reason, failed: false });
                }
            }
        }
    }
    Ok(())
}

/// Formats the metrics that are shown as progress.
fn summary(case: Case, metrics: &Metrics) -> String {
    let names: &[&str] = match case {
        Case::Online => {
            &["online.perSecond", "online.cpuMicros", "steady.typicalP99Micros", "half.typicalP99Micros"]
        }
        Case::Offline => &["accept.perSecond", "replay.perSecond", "replay.lost"],
        Case::Connections => &["connections.perSecond", "connections.bytesEach"],
        Case::ManyConnections => &["manyConnections.perSecond", "manyConnections.bytesEach"],
        Case::Slow => &["allRead.typicalP99Micros", "oneStuck.typicalP99Micros"],
        Case::Crash => &["crash.lost", "crash.duplicates", "crash.restartSeconds"],
        Case::Interrupted => &["interrupted.lost", "interrupted.usersOutOfOrder", "interrupted.seconds"],
        Case::Held => &["held.lost", "held.reordered", "held.seconds"],
    };
    let found = names.iter().filter_map(|name| Some(format!("{name} {}", number(*metrics.get(*name)?))));
    found.collect::<Vec<_>>().join(", ")
}
