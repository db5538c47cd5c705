//! That the comparison works: Tidings and the line, in every case that is theirs, with small numbers.
//!
//! This program is the server of Tidings, too, when it is called as that.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::process::{Command, ExitCode};

use serde_json::Value;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "serve" || argument == "--version") {
        return tidings::cli::main();
    }
    every_case_is_measured_and_told();
    ExitCode::SUCCESS
}

fn every_case_is_measured_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bench-peers"))
        .args(["--quick", "--systems", "tidings,tidings-acked,line", "--tidings"])
        .arg(std::env::current_exe().unwrap())
        .arg("--page")
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);

    let results = std::fs::read_to_string(folder.path().join("peers.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["leftOut"], Value::Array(Vec::new()), "{said}");
    let measurements = results["measurements"].as_array().unwrap();
    let of = |system: &str| {
        let own = measurements.iter().filter(|one| one["system"] == system);
        own.map(|one| one["case"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of("tidings"), ["online", "offline", "connections", "crowd", "slow", "crash", "held"]);
    assert_eq!(of("tidings-acked"), ["online", "offline", "crash", "interrupted", "held"]);
    assert_eq!(of("line"), ["online", "offline", "connections", "crowd", "slow"]);
    // Nothing came that was not sent, and everything that was; with a fault, too.
    for one in measurements {
        let figures = one["figures"].as_object().unwrap();
        for (key, value) in figures {
            let value = value.as_f64().unwrap();
            match key.rsplit('.').next() {
                Some("lost") => assert!(value == 0.0, "{} {key}: {value}\n{said}", one["system"]),
                Some("expected") => assert!(value > 0.0, "{} {key}\n{said}", one["system"]),
                _ => {}
            }
        }
    }

    let page = std::fs::read_to_string(folder.path().join("peers.md")).unwrap();
    for part in ["## Targets", "## Figures", "| online to the line |", "](peers-online.svg)"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let plot = std::fs::read_to_string(folder.path().join("peers-online.svg")).unwrap();
    assert!(plot.contains("tidings-acked"), "{plot}");
}
