//! What the functions take on Lambda: to start (`init`), and for each event once they are warm (`handlers`).
//! Beside each of ours, Node functions that make the same calls, in the same run and in turn.
//! `scripts/bench-lambda` builds what this needs and runs it.
#![allow(clippy::print_stdout, reason = "the figures are what this program is for")]

mod aws;
mod cases;
mod counts;
mod http;
mod process;
mod report;
mod runtime_api;
mod samples;
mod scenario;
mod start;
mod warm;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use contract_deployment_v1::FUNCTIONS;
use tempfile::TempDir;

use crate::aws::Endpoint;
use crate::process::Program;
use crate::report::{Handled, Row};
use crate::scenario::Scenario;
use crate::warm::Events;

/// Measures the functions.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder of the archives that `scripts/build-lambdas` made.
    #[arg(long)]
    archives: PathBuf,
    /// Folder of the Node functions, with their dependencies installed and, in `bundles`, bundled; without it
    /// ours are measured alone.
    #[arg(long)]
    node: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// From the start of a process until it asks for an event, and until it has answered the first.
    Init {
        /// Processes of each function and peer.
        #[arg(long, default_value = "31")]
        rounds: NonZeroU32,
        #[command(flatten)]
        of: Of,
    },
    /// Processor time, allocations and instructions of an event.
    Handlers {
        /// Processes of each peer for each case.
        #[arg(long, default_value = "5")]
        rounds: NonZeroU32,
        /// Events that are measured of each process.
        #[arg(long, default_value = "1000")]
        events: NonZeroU32,
        /// Events before those.
        #[arg(long, default_value = "300")]
        warm_up: u32,
        /// Count allocations and instructions too, with valgrind.
        #[arg(long)]
        count: bool,
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Debug, Args)]
struct Of {
    /// Only these functions.
    #[arg(value_parser = PossibleValuesParser::new(FUNCTIONS.map(|function| function.name)))]
    functions: Vec<String>,
}

impl Of {
    fn has(&self, scenario: &Scenario) -> bool {
        self.functions.is_empty() || self.functions.iter().any(|asked| asked == scenario.function.name)
    }
}

/// What every measurement needs.
struct Bench {
    archives: PathBuf,
    node: Option<PathBuf>,
    endpoint: Endpoint,
    folder: TempDir,
}

fn bytes(file: &Path) -> Result<u64> {
    let known = std::fs::metadata(file).with_context(|| format!("{} is missing", file.display()))?;
    Ok(known.len())
}

impl Bench {
    async fn new(archives: PathBuf, node: Option<PathBuf>) -> Result<Self> {
        let (endpoint, folder) = (Endpoint::new().await?, tempfile::tempdir()?);
        endpoint.write_authorities(folder.path())?;
        Ok(Self { archives, node, endpoint, folder })
    }

    fn binary(&self, function: &str) -> PathBuf {
        self.archives.join("binaries").join(function).join("bootstrap")
    }

    /// The peers of a function, ours first.
    fn peers<T>(&self, function: &str) -> Result<Vec<(Row<T>, Program)>> {
        let row = |peer, bytes| Row { peer, bytes, processes: Vec::new() };
        let binary = self.binary(function);
        let mut peers = vec![(row("Tidings", Some(bytes(&binary)?)), Program(vec![binary]))];
        if let Some(node) = &self.node {
            let runtime = node.join("runtime.mjs");
            let bundle = node.join("bundles").join(format!("{function}.cjs"));
            let plain = node.join(format!("{function}.mjs"));
            let run = |module| Program(vec![PathBuf::from("node"), runtime.clone(), module]);
            peers.push((row("Node, bundled", Some(bytes(&bundle)?)), run(bundle)));
            peers.push((row("Node, modules", None), run(plain)));
        }
        Ok(peers)
    }

    /// Measures processes of the peers in turn; each is the first as often as the others. What a round
    /// measures that is numbered below `discarded` is forgotten.
    async fn in_turn<T>(
        &self,
        mut peers: Vec<(Row<T>, Program)>,
        rounds: u32,
        discarded: u32,
        measure: impl AsyncFn(&Program) -> Result<T>,
    ) -> Result<Vec<Row<T>>> {
        for round in 0..discarded + rounds {
            let first = round as usize % peers.len();
            peers.rotate_left(first);
            for (row, program) in &mut peers {
                let measured = measure(program).await.with_context(|| row.peer)?;
                if round >= discarded {
                    row.processes.push(measured);
                }
            }
            peers.rotate_right(first);
        }
        Ok(peers.into_iter().map(|(row, _)| row).collect())
    }

    async fn init(&self, scenario: &Scenario, rounds: u32) -> Result<String> {
        let function = scenario.function.name;
        let measure = async |program: &Program| {
            start::measure(program, scenario, &self.endpoint, self.folder.path()).await
        };
        // The first round brings the files into memory.
        let rows = self.in_turn(self.peers(function)?, rounds, 1, measure).await.context(function)?;
        let archive = bytes(&self.archives.join(format!("{function}.zip")))?;
        Ok(report::starts(function, archive, &rows))
    }

    async fn handle(&self, scenario: &Scenario, rounds: u32, events: Events, count: bool) -> Result<Handled> {
        let (function, folder) = (scenario.function.name, self.folder.path());
        let measure =
            async |program: &Program| warm::measure(program, scenario, &self.endpoint, folder, events).await;
        let mut peers = self.peers(function)?;
        // Once it is warm, it doesn't matter which files the code came from.
        peers.truncate(2);
        let rows = self.in_turn(peers, rounds, 0, measure).await;
        let rows = rows.with_context(|| format!("{function}, {}", scenario.title))?;
        let counts = if count {
            Some(counts::count(&self.binary(function), scenario, &self.endpoint, folder).await?)
        } else {
            None
        };
        Ok(Handled { title: format!("{function}: {}", scenario.title), units: scenario.units, rows, counts })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Arguments { archives, node, what } = Arguments::parse();
    let bench = Bench::new(archives, node).await?;
    match what {
        What::Init { rounds, of } => {
            println!("medians of {rounds} processes each, all with TLS to the endpoint");
            for scenario in samples::samples().iter().filter(|scenario| of.has(scenario)) {
                print!("{}", bench.init(scenario, rounds.get()).await?);
            }
        }
        What::Handlers { rounds, events, warm_up, count, of } => {
            println!(
                "medians of {rounds} processes each, each of {events} events after {warm_up}; all with TLS to the \
                 endpoint\n\n{}",
                report::HANDLERS
            );
            let events = Events { before: warm_up, measured: events.get() };
            for scenario in cases::cases().iter().filter(|scenario| of.has(scenario)) {
                println!("{}", bench.handle(scenario, rounds.get(), events, count).await?.line());
            }
        }
    }
    Ok(())
}
