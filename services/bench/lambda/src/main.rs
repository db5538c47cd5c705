//! How long the functions take to start on Lambda: from the start of the process until it asks the Runtime
//! API for an event, and until it has answered the first. Beside each of ours, Node functions that make the
//! same calls, in the same run and in turn. `scripts/bench-init` builds what this needs and runs it.
#![allow(clippy::print_stdout, reason = "the figures are what this program is for")]

mod aws;
mod http;
mod process;
mod report;
mod runtime_api;
mod scenario;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use contract_deployment_v1::FUNCTIONS;

use crate::aws::Endpoint;
use crate::process::{Program, measure};
use crate::report::Row;
use crate::scenario::{SCENARIOS, Scenario};

/// Measures cold starts.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder of the archives that `scripts/build-lambdas` made.
    #[arg(long)]
    archives: PathBuf,
    /// Folder of the Node functions, with their dependencies installed and, in `bundles`, bundled.
    #[arg(long)]
    node: PathBuf,
    /// Processes of each function and peer.
    #[arg(long, default_value = "31")]
    rounds: NonZeroUsize,
    /// Only these functions.
    #[arg(value_parser = PossibleValuesParser::new(FUNCTIONS.map(|function| function.name)))]
    functions: Vec<String>,
}

fn bytes(file: &Path) -> Result<u64> {
    let known = std::fs::metadata(file).with_context(|| format!("{} is missing", file.display()))?;
    Ok(known.len())
}

/// The peers of a function, ours first.
fn peers(arguments: &Arguments, function: &str) -> Result<Vec<(Row, Program)>> {
    let Arguments { archives, node, .. } = arguments;
    let row = |peer, bytes| Row { peer, bytes, processes: Vec::new() };
    let binary = archives.join("binaries").join(function).join("bootstrap");
    let runtime = node.join("runtime.mjs");
    let bundle = node.join("bundles").join(format!("{function}.cjs"));
    let plain = node.join(format!("{function}.mjs"));
    let run = |module| Program(vec![PathBuf::from("node"), runtime.clone(), module]);
    Ok(vec![
        (row("Tidings", Some(bytes(&binary)?)), Program(vec![binary])),
        (row("Node, bundled", Some(bytes(&bundle)?)), run(bundle)),
        (row("Node, modules", None), run(plain)),
    ])
}

async fn compare(arguments: &Arguments, scenario: &Scenario, endpoint: &Endpoint) -> Result<String> {
    let folder = tempfile::tempdir()?;
    endpoint.write_authorities(folder.path())?;
    let function = scenario.function.name;
    let mut peers = peers(arguments, function)?;
    for round in 0..=arguments.rounds.get() {
        // Each peer is the first as often as the others.
        let first = round % peers.len();
        peers.rotate_left(first);
        for (row, program) in &mut peers {
            let measured = measure(program, scenario, endpoint, folder.path())
                .await
                .with_context(|| format!("{function}, {}", row.peer))?;
            // The first round brings the files into memory.
            if round > 0 {
                row.processes.push(measured);
            }
        }
        peers.rotate_right(first);
    }
    let archive = bytes(&arguments.archives.join(format!("{function}.zip")))?;
    let rows: Vec<Row> = peers.into_iter().map(|(row, _)| row).collect();
    Ok(report::table(function, archive, &rows))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let endpoint = Endpoint::new().await?;
    println!("medians of {} processes each, all with TLS to the endpoint", arguments.rounds);
    for scenario in &SCENARIOS {
        let name = scenario.function.name;
        if arguments.functions.is_empty() || arguments.functions.iter().any(|asked| asked == name) {
            print!("{}", compare(&arguments, scenario, &endpoint).await?);
        }
    }
    Ok(())
}
