//! Measures Tidings beside other servers that push: the same load to each, by its own protocol, in one run.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

mod cases;
mod line;
mod machine;
mod protocol;
mod report;
mod results;
mod systems;
mod world;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bench_kit::machine::Stolen;
use bench_kit::program::{read, say, show, until_interrupted, write};
use bench_kit::{Figures, Machine, number};
use clap::{Parser, ValueEnum as _};

use cases::{Case, Scale};
use results::{LeftOut, Measurement, Results, STOLEN};
use systems::{System, Tools};

/// The argument by which this program is the line's server.
const SERVE_LINE: &str = "--serve-line";

/// Measure Tidings beside other servers that push; scripts/bench-peers finds or installs them and says where they
/// are. Exits with 1 when Tidings lost, repeated or misordered anything.
#[derive(Debug, Parser)]
#[command(name = "bench-peers", version)]
struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only these cases
    #[arg(long, value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
    /// Only these systems
    #[arg(long, value_enum, value_delimiter = ',')]
    systems: Vec<System>,
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
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "cases", "systems", "runs", "quick"])]
    from: Option<PathBuf>,
    /// The program of Tidings
    #[arg(long, value_name = "FILE")]
    tidings: Option<PathBuf>,
    /// The program of mosquitto
    #[arg(long, value_name = "FILE")]
    mosquitto: Option<PathBuf>,
    /// The program of NATS
    #[arg(long, value_name = "FILE")]
    nats: Option<PathBuf>,
    /// The Node server's main module
    #[arg(long, value_name = "FILE")]
    node_server: Option<PathBuf>,
    /// Where mosquitto's libraries are
    #[arg(long, value_name = "FOLDER")]
    libraries: Option<PathBuf>,
    /// Be the line's server
    #[arg(long, hide = true)]
    serve_line: bool,
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
    if options.serve_line {
        line::serve()?;
    }
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
        write(&folder.join("peers.md"), &report::page::page(&results, &plots))?;
        write(&folder.join("peers.json"), &serde_json::to_string(&results)?)?;
    }
    show(&report::page::tables(&results));
    let own = [System::Tidings, System::TidingsAcked].map(|system| results.soundness(system));
    let sound = own.iter().all(|[_, rest @ ..]| rest.iter().all(|count| *count == 0.0));
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(options: &Options) -> anyhow::Result<Results> {
    let tools = Tools {
        tidings: options.tidings.clone(),
        mosquitto: options.mosquitto.clone(),
        nats: options.nats.clone(),
        node_server: options.node_server.clone(),
        libraries: options.libraries.clone(),
    };
    let versions = machine::versions(&tools);
    let mut results = Results {
        machine: Machine::here()?,
        versions,
        command: command_line(),
        scale: if options.quick { Scale::quick() } else { Scale::full() },
        quick: options.quick,
        runs: if options.quick { 1 } else { options.runs },
        measurements: Vec::new(),
        left_out: Vec::new(),
    };
    for run in 1..=results.runs {
        let Err(interrupted) = measure_run(run, options, &tools, &mut results) else { continue };
        results.forget(run);
        results.runs = run - 1;
        if results.runs == 0 {
            return Err(interrupted);
        }
        say(&format!("{interrupted:#}: what was measured in whole runs is reported"));
        break;
    }
    Ok(results)
}

/// Measures every case on every system once; fails when it is interrupted.
fn measure_run(run: u32, options: &Options, tools: &Tools, results: &mut Results) -> anyhow::Result<()> {
    let chosen = |case: &Case| options.cases.is_empty() || options.cases.contains(case);
    let wanted = |system: &System| options.systems.is_empty() || options.systems.contains(system);
    let nats_version = results.versions.get("nats-server").and_then(|version| machine::major_minor(version));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for &case in Case::value_variants().iter().filter(|case| chosen(case)) {
        let systems = System::value_variants().iter().filter(|system| wanted(system));
        for &system in systems.filter(|system| case.is_for(**system)) {
            let label = format!("run {run} of {}: {}, {}", results.runs, case.name(), system.name());
            let known = results.left_out.iter().any(|one| (one.case, one.system) == (case, system));
            // Memory hardly varies, and so many connections take long.
            if known || (case == Case::Crowd && run > 1) {
                continue;
            }
            let slow = options.quick && case == Case::Interrupted && system == System::Jetstream;
            let slow = slow.then(|| "it takes 30 s, and this is a quick run".to_owned());
            let stolen = Stolen::begin();
            let measured = if let Some(reason) = tools.missing(system, nats_version).or(slow) {
                Err(anyhow::anyhow!(reason))
            } else {
                until_interrupted(&runtime, cases::run(case, system, tools, &results.scale))?
            };
            match measured {
                Ok(mut figures) => {
                    let stolen =
                        stolen.percent().map(|percent| (format!("{}.{STOLEN}", case.name()), percent));
                    figures.extend(stolen);
                    say(&format!("{label}: {}", summary(case, &figures)));
                    results.measurements.push(Measurement { run, case, system, figures });
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    say(&format!("{label}: {reason}"));
                    results.left_out.push(LeftOut { case, system, reason });
                }
            }
        }
    }
    Ok(())
}

/// What is worth seeing while more is measured.
fn summary(case: Case, figures: &Figures) -> String {
    let keys: &[&str] = match case {
        Case::Online => {
            &["online.perSecond", "online.cpuMicros", "steady.typicalP99Micros", "half.typicalP99Micros"]
        }
        Case::Offline => &["accept.perSecond", "replay.perSecond", "replay.lost"],
        Case::Connections => &["connections.perSecond", "connections.bytesEach"],
        Case::Crowd => &["crowd.perSecond", "crowd.bytesEach"],
        Case::Slow => &["allRead.typicalP99Micros", "oneStuck.typicalP99Micros"],
        Case::Crash => &["crash.lost", "crash.duplicates", "crash.restartSeconds"],
        Case::Interrupted => &["interrupted.lost", "interrupted.usersOutOfOrder", "interrupted.seconds"],
        Case::Held => &["held.lost", "held.reordered", "held.seconds"],
    };
    let found = keys.iter().filter_map(|key| Some(format!("{key} {}", number(*figures.get(*key)?))));
    found.collect::<Vec<_>>().join(", ")
}

/// How the script was called, as it says, or this program.
fn command_line() -> String {
    std::env::var("BENCH_PEERS_COMMAND").unwrap_or_else(|_| "bench-peers".to_owned())
}
