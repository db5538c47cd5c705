//! A quick run of every case on Tidings and on the baseline.
//!
//! This program is also the server of Tidings: the benchmark starts it as its `tidings` program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::process::{Command, ExitCode};

use serde_json::Value;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "serve" || argument == "--version") {
        return tidings::cli::main();
    }
    every_case_is_measured_and_reported();
    ExitCode::SUCCESS
}

fn every_case_is_measured_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bench-peers"))
        .args(["--quick", "--systems", "tidings,tidings-acked,line", "--tidings"])
        .arg(std::env::current_exe().unwrap())
        .arg("--page")
        .arg(folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{log}", output.status);
    assert!(log.contains("warning: line is now baseline"), "{log}");

    let results = std::fs::read_to_string(folder.path().join("peers.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["notMeasured"], Value::Array(Vec::new()), "{log}");
    let measurements = results["measurements"].as_array().unwrap();
    let cases = |system: &str| {
        let own = measurements.iter().filter(|one| one["system"] == system);
        own.map(|one| one["case"].as_str().unwrap()).collect::<Vec<_>>()
    };
    let tidings = ["online", "offline", "connections", "many-connections", "slow", "crash", "held"];
    assert_eq!(cases("tidings"), tidings);
    assert_eq!(cases("tidings-acked"), ["online", "offline", "connections", "crash", "interrupted", "held"]);
    assert_eq!(cases("baseline"), ["online", "offline", "connections", "many-connections", "slow"]);
    // Nothing is lost, not even with a fault, and something was expected.
    for one in measurements {
        let metrics = one["metrics"].as_object().unwrap();
        for (name, value) in metrics {
            let value = value.as_f64().unwrap();
            match name.rsplit('.').next() {
                Some("lost") => assert!(value == 0.0, "{} {name}: {value}\n{log}", one["system"]),
                Some("expected") => assert!(value > 0.0, "{} {name}\n{log}", one["system"]),
                _ => {}
            }
        }
    }

    let page = std::fs::read_to_string(folder.path().join("peers.md")).unwrap();
    for part in
        ["## Targets", "## Metrics", "| online rate, relative to the baseline |", "](peers-online.svg)"]
    {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let plot = std::fs::read_to_string(folder.path().join("peers-online.svg")).unwrap();
    assert!(plot.contains("tidings-acked"), "{plot}");
}
