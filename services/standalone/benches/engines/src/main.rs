//! Compares embedded storage engines on the workload of the standalone
//! gateway: durable group commits, mailbox pages, deletes, space, opening.
//!
//! ```text
//! engines [CASE...] [--engine NAME]... [--runs N] [--rows N] [--users N]
//!         [--seconds N] [--dir DIR] [--set name=value]...
//! ```
//!
//! The case `full` is run by hand, with `--child`, in a directory on a small
//! file system of its own (a few hundred MiB).
//!
//! Without cases it runs the whole comparison and prints Markdown tables.
//! Every measurement is a process of its own, engines alternate within a run
//! and the median of the runs is printed.

mod cases;
mod damage;
mod data;
mod group;
mod meter;
mod parent;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use store::{Result, Tuning};

/// The command line.
pub struct Options {
    cases: Vec<String>,
    engines: Vec<String>,
    runs: usize,
    rows: u64,
    users: u64,
    seconds: u64,
    dir: PathBuf,
    settings: Vec<String>,
    child: bool,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            cases: Vec::new(),
            engines: Vec::new(),
            runs: 3,
            rows: 1_000_000,
            users: 1000,
            seconds: 5,
            dir: PathBuf::from("target/engines"),
            settings: Vec::new(),
            child: false,
        };
        while let Some(arg) = args.next() {
            if arg == "--child" {
                options.child = true;
                continue;
            }
            if !arg.starts_with("--") {
                options.cases.push(arg);
                continue;
            }
            let value = args.next().ok_or(format!("{arg} needs a value"))?;
            match arg.as_str() {
                "--engine" => options.engines.push(value),
                "--runs" => options.runs = value.parse()?,
                "--rows" => options.rows = value.parse()?,
                "--users" => options.users = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                "--dir" => options.dir = PathBuf::from(value),
                "--set" => options.settings.push(value),
                _ => return Err(format!("unknown option {arg}").into()),
            }
        }
        if options.engines.is_empty() {
            options.engines = store::ENGINES.map(String::from).to_vec();
        }
        Ok(options)
    }

    /// Runs the one case this process was started for.
    fn run_child(self) -> Result<()> {
        let mut tuning = Tuning::default();
        for setting in &self.settings {
            tuning.set(setting)?;
        }
        let context = cases::Context {
            engine: self.engines[0].clone(),
            tuning,
            dir: self.dir,
            rows: self.rows,
            users: self.users,
            seconds: self.seconds,
        };
        cases::run(&self.cases[0], &context)
    }
}

fn main() -> ExitCode {
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| {
        if options.child {
            options.run_child()
        } else {
            parent::run(&options)
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
