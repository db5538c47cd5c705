//! `verification-simulation`: runs simulations from seeds and looks for a broken promise.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use verification_simulation::{FaultKind, Statistics, Violation, check, explore, run};

/// Simulates the whole standalone system in virtual time, with all decisions made by a seed, and checks the
/// promises of delivery for every user.
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run only this seed, twice: both traces must be equal.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the trace of the seed.
    #[arg(long, alias = "story", requires = "seed")]
    trace: bool,
    /// Print only events that concern this user.
    #[arg(long, requires = "trace")]
    user: Option<usize>,
    /// Number of threads.
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let start = Instant::now();
    if let Some(seed) = arguments.seed {
        return run_twice(seed, &arguments);
    }
    let found = explore(arguments.from..arguments.from + arguments.seeds, arguments.threads)
        .context("a simulation could not be run")?;
    print_statistics(&found.statistics, start)?;
    if let Some((seed, violation)) = found.violation {
        print_violation(seed, &violation)?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn run_twice(seed: u64, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = stdout().lock();
    let (finished, again) = (run(seed, None)?, run(seed, None)?);
    if arguments.trace {
        for line in finished.trace.lines(arguments.user) {
            writeln!(out, "{line}")?;
        }
    }
    let (fingerprint, other) = (finished.trace.fingerprint(), again.trace.fingerprint());
    writeln!(out, "seed {seed}: {} events, fingerprint {fingerprint:016x}", finished.trace.0.len())?;
    if fingerprint != other {
        let (first, second) = (finished.trace.0.iter(), again.trace.0.iter());
        if let Some((a, b)) = first.zip(second).find(|(a, b)| a != b) {
            writeln!(out, "the second trace differs, first in:\n{a}\n{b}")?;
        }
        return Ok(ExitCode::FAILURE);
    }
    if let Some(violation) = check(&finished) {
        writeln!(out, "{violation}")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_violation(seed: u64, violation: &Violation) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for line in run(seed, None)?.trace.lines(Some(violation.user)) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\nseed {seed}: {violation}\nrepeat with: scripts/simulate --seed {seed} --trace")?;
    Ok(())
}

fn print_statistics(statistics: &Statistics, start: Instant) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    let faults = |kind| statistics.faults.get(&kind).copied().unwrap_or(0);
    let lines = [
        ("simulations", statistics.simulations),
        ("virtual hours", statistics.millis / 3_600_000),
        ("notifications accepted", statistics.accepted),
        ("notifications sent to sockets", statistics.sent),
        ("repeats on one connection", statistics.repeats),
        ("connections", statistics.connections),
        ("crashes", statistics.crashes),
        ("stops", statistics.stops),
        ("jumps of the clock", statistics.clock_jumps),
        ("commits on a slow disk", statistics.slow_commits),
        ("rows damaged", statistics.rows_damaged),
        ("requests or answers lost", statistics.lost_requests),
        ("port calls that failed without effect", faults(FaultKind::Before)),
        ("port calls reported failed after their effect", faults(FaultKind::After)),
        ("port calls with a part of their effect", faults(FaultKind::Partly)),
        ("port calls that took long", faults(FaultKind::Slow)),
        ("events", statistics.events),
    ];
    for (name, count) in lines {
        writeln!(out, "{count:>12}  {name}")?;
    }
    writeln!(out, "{:>12.1}  seconds", start.elapsed().as_secs_f64())?;
    Ok(())
}
