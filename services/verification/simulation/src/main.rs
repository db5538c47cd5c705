//! `simulation`: runs worlds from seeds and looks for a broken promise.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use verification_simulation::{Broken, FaultKind, Finished, Tally, check, explore, run};

/// Runs the whole standalone system in virtual time, each world as its seed decides, and checks the promises
/// of delivery for every user.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this seed, twice: it must give the same in every detail.
    #[arg(long)]
    seed: Option<u64>,
    /// Tell all that happened; with `--user`, what concerns that user.
    #[arg(long, requires = "seed")]
    story: bool,
    /// Whom the story is about.
    #[arg(long, requires = "story")]
    user: Option<usize>,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let start = Instant::now();
    if let Some(seed) = arguments.seed {
        return one(seed, &arguments);
    }
    let found = explore(arguments.from..arguments.from + arguments.seeds, arguments.threads)
        .context("a world could not be run")?;
    report(&found.tally, start)?;
    if let Some((seed, broken)) = found.broken {
        tell(seed, &run(seed, None)?, &broken, Some(broken.user))?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn one(seed: u64, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = stdout().lock();
    let (finished, again) = (run(seed, None)?, run(seed, None)?);
    if arguments.story {
        for line in finished.trace.story(arguments.user) {
            writeln!(out, "{line}")?;
        }
    }
    let (fingerprint, other) = (finished.trace.fingerprint(), again.trace.fingerprint());
    writeln!(out, "seed {seed}: {} events, fingerprint {fingerprint:016x}", finished.trace.0.len())?;
    if fingerprint != other {
        let (first, second) = (finished.trace.0.iter(), again.trace.0.iter());
        if let Some((a, b)) = first.zip(second).find(|(a, b)| a != b) {
            writeln!(out, "the second time was different, first in:\n{a}\n{b}")?;
        }
        return Ok(ExitCode::FAILURE);
    }
    if let Some(broken) = check(&finished) {
        writeln!(out, "{broken}")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(seed: u64, finished: &Finished, broken: &Broken, user: Option<usize>) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for line in finished.trace.story(user) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\nseed {seed}: {broken}\nagain with: scripts/simulate --seed {seed} --story")?;
    Ok(())
}

fn report(tally: &Tally, start: Instant) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    let faults = |kind| tally.faults.get(&kind).copied().unwrap_or(0);
    let lines = [
        ("worlds", tally.worlds),
        ("virtual hours", tally.millis / 3_600_000),
        ("notifications accepted", tally.accepted),
        ("taken by sockets", tally.taken),
        ("repeats over one connection", tally.repeats),
        ("connections", tally.connections),
        ("crashes", tally.crashes),
        ("stops", tally.stops),
        ("jumps of the clock", tally.jumps),
        ("commits on a slow disk", tally.slow_commits),
        ("rows damaged", tally.poisoned),
        ("requests or answers lost", tally.lost_requests),
        ("port calls that failed without effect", faults(FaultKind::Before)),
        ("port calls reported failed after their effect", faults(FaultKind::After)),
        ("port calls that had a part of their effect", faults(FaultKind::Partly)),
        ("port calls that took long", faults(FaultKind::Slow)),
        ("events", tally.events),
    ];
    for (name, count) in lines {
        writeln!(out, "{count:>12}  {name}")?;
    }
    writeln!(out, "{:>12.1}  seconds", start.elapsed().as_secs_f64())?;
    Ok(())
}
