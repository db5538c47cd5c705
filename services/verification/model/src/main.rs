//! `verification-model`: explores the scopes of the model and reports states, steps and counterexamples.

use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use verification_model::{
    Delivery, Exploration, Rule, SavedCounterexample, Scope, SearchOrder, describe, explore, scope,
};

/// Explores every order of events for one user in small scopes, with the real cores of dispatcher, replayer
/// and edge, and looks for a broken promise.
#[derive(Debug, Parser)]
struct Arguments {
    /// Explore the large scopes too, which takes minutes to an hour.
    #[arg(long)]
    deep: bool,
    /// Explore only this scope. May be repeated.
    #[arg(long)]
    scope: Vec<String>,
    /// Leave this rule out.
    #[arg(long)]
    without: Option<Rule>,
    /// Write a counterexample to this file.
    #[arg(long)]
    save: Option<PathBuf>,
    /// Stop a scope after about this number of steps.
    #[arg(long, alias = "most", default_value_t = 200_000_000)]
    max_steps: usize,
    /// Number of threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut out = stdout().lock();
    let mut is_broken = false;
    writeln!(out, "{:<32} {:>10} {:>11} {:>6} {:>8}", "scope", "states", "steps", "depth", "seconds")?;
    for scope in scopes(&arguments)? {
        let search = |order| explore(scope, arguments.without, order, arguments.threads, arguments.max_steps);
        let mut found = search(SearchOrder::DepthFirst)?;
        if found.counterexample.is_some() {
            // For the shortest counterexample.
            found = search(SearchOrder::BreadthFirst)?;
        }
        let Exploration { states, steps, depth, elapsed, complete, counterexample } = &found;
        let rest = if *complete { "" } else { "  incomplete" };
        let seconds = elapsed.as_secs_f64();
        writeln!(out, "{:<32} {states:>10} {steps:>11} {depth:>6} {seconds:>8.1}{rest}", scope.name)?;
        if let Some(counterexample) = counterexample {
            is_broken = true;
            let model = Delivery::new(scope, arguments.without)?;
            for (number, line) in (1..).zip(describe(&model, &counterexample.actions)) {
                writeln!(out, "{number:>4}. {line}")?;
            }
            if let Some(path) = &arguments.save {
                let saved = SavedCounterexample::new(scope, arguments.without, counterexample)?;
                let text = serde_json::to_string_pretty(&saved)?;
                std::fs::write(path, text + "\n")
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
    }
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn scopes(arguments: &Arguments) -> anyhow::Result<Vec<Scope>> {
    if !arguments.scope.is_empty() {
        let named = |name: &String| scope::named(name).with_context(|| format!("no scope {name:?}"));
        return arguments.scope.iter().map(named).collect();
    }
    if let Some(rule) = arguments.without {
        return Ok(scope::named(scope::for_missing_rule(rule)).into_iter().collect());
    }
    let deep = if arguments.deep { scope::DEEP } else { &[] };
    Ok([scope::QUICK, deep].concat())
}
