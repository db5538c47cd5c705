//! A measurement of the dispatcher alone, with few events.
//!
//! This program is also the function: the benchmark starts it in the function's place.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::Command;

use dispatcher_lambda::{Config, Function};
use shared_aws::{AttemptLimits, run, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let variable = |name: &str| std::env::var(name).ok();
    if variable("AWS_LAMBDA_RUNTIME_API").is_none() {
        return start_and_events_are_measured();
    }
    let config = Config::read(&variable).unwrap();
    let function = Function::new(&config, &sdk_config(AttemptLimits::default()).await);
    run(config.run, dispatcher::describe_metrics, |invocation| function.invoke(invocation)).await.unwrap();
}

/// Runs the benchmark and returns the lines of its output.
fn measure(archives: &Path, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_bench-lambda"))
        .arg("--archives")
        .arg(archives)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Returns the cells of the table rows that begin with `beginning`.
fn cells<'a>(output: &'a [String], beginning: &str) -> Vec<Vec<&'a str>> {
    let lines = output.iter().filter(|line| line.starts_with(&format!("| {beginning}")));
    lines.map(|line| line.split('|').map(str::trim).collect()).collect()
}

fn start_and_events_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let function = folder.path().join("binaries/dispatcher");
    std::fs::create_dir_all(&function).unwrap();
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), function.join("bootstrap")).unwrap();
    std::fs::write(folder.path().join("dispatcher.zip"), "an archive").unwrap();
    let is_positive = |cell: &str| cell.parse::<f64>().is_ok_and(|number| number > 0.0);

    let output = measure(folder.path(), &["init", "--rounds", "1", "dispatcher"]);
    let [tidings] = &cells(&output, "Tidings")[..] else { panic!("{output:?}") };
    assert!(tidings[2..=6].iter().all(|cell| is_positive(cell)), "{output:?}");

    let few = ["handlers", "--rounds", "1", "--events", "2", "--warm-up", "1", "dispatcher"];
    let output = measure(folder.path(), &few);
    let cases = cells(&output, "dispatcher: ");
    assert_eq!(cases.len(), 5, "{output:?}");
    for case in cases {
        assert!(is_positive(case[2]) && is_positive(case[5]), "{case:?}");
        // Node was not measured.
        assert_eq!((case[3], case[6]), ("", ""), "{case:?}");
    }
}
