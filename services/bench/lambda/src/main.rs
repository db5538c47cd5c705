//! Measures the Lambda functions: their start (`init`), and an event once they are warm (`handlers`).
//!
//! Node functions that make the same calls are measured in the same run, in turn with those of Tidings. Both
//! get a stand-in for the Runtime API and one for AWS, and must give the expected answers and make the
//! expected calls. `scripts/bench-lambda` builds the functions and runs this program.
#![allow(clippy::print_stdout, reason = "the tables are the program's output")]

mod aws;
mod cases;
mod counts;
mod http;
mod median;
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
use crate::report::{HandlerRow, PeerRow};
use crate::scenario::Scenario;
use crate::warm::Events;

/// Measure the Lambda functions.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder of the archives that `scripts/build-lambdas` wrote.
    #[arg(long)]
    archives: PathBuf,
    /// Folder of the Node functions, with their dependencies and, in `bundles`, their bundles. Without it only
    /// Tidings is measured.
    #[arg(long)]
    node: Option<PathBuf>,
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    /// Measure the time from the start of a process until it asks for an event, and until its first answers.
    Init {
        /// Processes of each function and peer.
        #[arg(long, default_value = "31")]
        rounds: NonZeroU32,
        #[command(flatten)]
        filter: FunctionFilter,
    },
    /// Measure processor time, allocations and instructions of an event.
    Handlers {
        /// Processes of each peer for each case.
        #[arg(long, default_value = "5")]
        rounds: NonZeroU32,
        /// Measured events of each process.
        #[arg(long, default_value = "1000")]
        events: NonZeroU32,
        /// Events of each process before those.
        #[arg(long, default_value = "300")]
        warm_up: u32,
        /// Count allocations and instructions with valgrind, too.
        #[arg(long)]
        count: bool,
        #[command(flatten)]
        filter: FunctionFilter,
    },
}

#[derive(Debug, Args)]
struct FunctionFilter {
    /// Measure only these functions.
    #[arg(value_parser = PossibleValuesParser::new(FUNCTIONS.map(|function| function.name)))]
    functions: Vec<String>,
}

impl FunctionFilter {
    fn matches(&self, scenario: &Scenario) -> bool {
        self.functions.is_empty() || self.functions.iter().any(|chosen| chosen == scenario.function.name)
    }
}

/// The functions, and the endpoint and folder of all processes.
struct Bench {
    archives: PathBuf,
    node: Option<PathBuf>,
    endpoint: Endpoint,
    folder: TempDir,
}

fn file_bytes(file: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(file).with_context(|| format!("{} is missing", file.display()))?;
    Ok(metadata.len())
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

    /// Returns the programs of a function, that of Tidings first.
    fn peers<T>(&self, function: &str) -> Result<Vec<(PeerRow<T>, Program)>> {
        let row = |peer, bytes| PeerRow { peer, bytes, processes: Vec::new() };
        let binary = self.binary(function);
        let mut peers = vec![(row("Tidings", Some(file_bytes(&binary)?)), Program(vec![binary]))];
        if let Some(node) = &self.node {
            let runtime = node.join("runtime.mjs");
            let bundle = node.join("bundles").join(format!("{function}.cjs"));
            let plain = node.join(format!("{function}.mjs"));
            let run = |module| Program(vec![PathBuf::from("node"), runtime.clone(), module]);
            peers.push((row("Node, bundled", Some(file_bytes(&bundle)?)), run(bundle)));
            peers.push((row("Node, modules", None), run(plain)));
        }
        Ok(peers)
    }

    /// Measures processes of the peers in turn, so that each is the first in as many rounds as the others.
    /// The first `discarded` rounds are not recorded.
    async fn in_turn<T>(
        &self,
        mut peers: Vec<(PeerRow<T>, Program)>,
        rounds: u32,
        discarded: u32,
        measure: impl AsyncFn(&Program) -> Result<T>,
    ) -> Result<Vec<PeerRow<T>>> {
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

    /// Measures the start of a function and formats its table.
    async fn init(&self, scenario: &Scenario, rounds: u32) -> Result<String> {
        let function = scenario.function.name;
        let measure = async |program: &Program| {
            start::measure(program, scenario, &self.endpoint, self.folder.path()).await
        };
        // The first round loads the files into the page cache.
        let rows = self.in_turn(self.peers(function)?, rounds, 1, measure).await.context(function)?;
        let archive = file_bytes(&self.archives.join(format!("{function}.zip")))?;
        Ok(report::start_table(function, archive, &rows))
    }

    /// Measures a function with one event.
    async fn handle(
        &self,
        scenario: &Scenario,
        rounds: u32,
        events: Events,
        count: bool,
    ) -> Result<HandlerRow> {
        let (function, folder) = (scenario.function.name, self.folder.path());
        let measure =
            async |program: &Program| warm::measure(program, scenario, &self.endpoint, folder, events).await;
        let mut peers = self.peers(function)?;
        // A warm process runs the same code whether it was bundled or not.
        peers.truncate(2);
        let rows = self.in_turn(peers, rounds, 0, measure).await;
        let rows = rows.with_context(|| format!("{function}, {}", scenario.title))?;
        let counts = if count {
            Some(counts::count(&self.binary(function), scenario, &self.endpoint, folder).await?)
        } else {
            None
        };
        let title = format!("{function}: {}", scenario.title);
        Ok(HandlerRow { title, units: scenario.units, rows, counts })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Arguments { archives, node, measurement } = Arguments::parse();
    let bench = Bench::new(archives, node).await?;
    match measurement {
        Measurement::Init { rounds, filter } => {
            println!("Medians of {rounds} processes, with TLS to the endpoint.");
            for scenario in samples::samples().iter().filter(|scenario| filter.matches(scenario)) {
                print!("{}", bench.init(scenario, rounds.get()).await?);
            }
        }
        Measurement::Handlers { rounds, events, warm_up, count, filter } => {
            println!(
                "Medians of {rounds} processes with {events} events after {warm_up} to warm up, with TLS to the \
                 endpoint.\n\n{}",
                report::HANDLER_HEADINGS
            );
            let events = Events { warm_up, measured: events.get() };
            for scenario in cases::cases().iter().filter(|scenario| filter.matches(scenario)) {
                println!("{}", bench.handle(scenario, rounds.get(), events, count).await?.line());
            }
        }
    }
    Ok(())
}
