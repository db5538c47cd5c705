//! `model`: explores the worlds of delivery and reports what it saw.

use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use verification_model::{Delivery, Exploration, Order, Rule, SavedStory, Scope, explore, scope, tell};

/// Explores every order in which things can happen in a small world of one user, with the real cores of
/// dispatcher, replayer and edge, and looks for a broken promise.
#[derive(Debug, Parser)]
struct Arguments {
    /// Explore larger worlds too, for as long as it takes.
    #[arg(long)]
    deep: bool,
    /// Explore these scopes only.
    #[arg(long)]
    scope: Vec<String>,
    /// Leave this rule out.
    #[arg(long)]
    without: Option<Rule>,
    /// Write the counterexample here.
    #[arg(long)]
    save: Option<PathBuf>,
    /// Stop a scope after about this many steps.
    #[arg(long, default_value_t = 200_000_000)]
    most: usize,
    /// How many threads explore.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut out = stdout().lock();
    let mut broken = false;
    writeln!(out, "{:<32} {:>10} {:>11} {:>6} {:>8}", "scope", "states", "steps", "depth", "seconds")?;
    for scope in scopes(&arguments)? {
        let look = |order| explore(scope, arguments.without, order, arguments.threads, arguments.most);
        let mut found = look(Order::DepthFirst)?;
        if found.counterexample.is_some() {
            // For a story that is as short as can be.
            found = look(Order::BreadthFirst)?;
        }
        let Exploration { states, steps, depth, took, complete, counterexample } = &found;
        let rest = if *complete { "" } else { "  not to the end" };
        let seconds = took.as_secs_f64();
        writeln!(out, "{:<32} {states:>10} {steps:>11} {depth:>6} {seconds:>8.1}{rest}", scope.name)?;
        if let Some(counterexample) = counterexample {
            broken = true;
            let model = Delivery::new(scope, arguments.without)?;
            for (number, line) in (1..).zip(tell(&model, &counterexample.actions)) {
                writeln!(out, "{number:>4}. {line}")?;
            }
            if let Some(path) = &arguments.save {
                let saved = SavedStory::new(scope, arguments.without, counterexample)?;
                let text = serde_json::to_string_pretty(&saved)?;
                std::fs::write(path, text + "\n")
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
    }
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn scopes(arguments: &Arguments) -> anyhow::Result<Vec<Scope>> {
    if !arguments.scope.is_empty() {
        let named = |name: &String| scope::named(name).with_context(|| format!("there is no scope {name:?}"));
        return arguments.scope.iter().map(named).collect();
    }
    if let Some(rule) = arguments.without {
        return Ok(scope::named(scope::missing(rule)).into_iter().collect());
    }
    let deep = if arguments.deep { scope::DEEP } else { &[] };
    Ok([scope::QUICK, deep].concat())
}
