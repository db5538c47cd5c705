//! `verification-aws-simulation`: runs simulations from seeds and looks for a broken promise.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use verification_aws_simulation::{Finished, check, explore, run};

/// Simulates the services on AWS in virtual time, with all decisions made by a seed, and checks the promises of
/// delivery for every user.
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run only this seed and print its log.
    #[arg(long)]
    seed: Option<u64>,
    /// Print only events that concern this user.
    #[arg(long, requires = "seed")]
    user: Option<usize>,
    /// Number of threads.
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        let finished = run(seed, None)?;
        return report(&finished, arguments.user);
    }
    let start = Instant::now();
    let found = explore(arguments.from..arguments.from + arguments.seeds, arguments.threads, None)?;
    let statistics = found.statistics;
    let mut out = stdout().lock();
    for (name, count) in [
        ("simulations", statistics.simulations),
        ("virtual hours", statistics.millis / 3_600_000),
        ("notifications accepted", statistics.accepted),
        ("notifications pushed", statistics.pushed),
        ("connections", statistics.connections),
        ("batches", statistics.batches),
        ("batches without an answer", statistics.unanswered),
        ("entries delivered again", statistics.redelivered),
        ("faults", statistics.faults),
    ] {
        writeln!(out, "{count:>12}  {name}")?;
    }
    writeln!(out, "{:>12.1}  seconds", start.elapsed().as_secs_f64())?;
    let Some((seed, violation)) = found.violation else { return Ok(ExitCode::SUCCESS) };
    writeln!(out, "\nseed {seed}: {violation}\nrepeat with: scripts/simulate-aws --seed {seed}")?;
    Ok(ExitCode::FAILURE)
}

fn report(finished: &Finished, user: Option<usize>) -> anyhow::Result<ExitCode> {
    let mut out = stdout().lock();
    for event in
        finished.log.iter().filter(|event| user.is_none() || event.user.is_none() || event.user == user)
    {
        writeln!(out, "{event}")?;
    }
    match check(finished) {
        Some(violation) => {
            writeln!(out, "{violation}")?;
            Ok(ExitCode::FAILURE)
        }
        None => Ok(ExitCode::SUCCESS),
    }
}
