//! A quick run of every sweep, and an interrupted one.
//!
//! This program is also the server of Tidings: the benchmark starts it as its `tidings` program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "serve" || argument == "--version") {
        return tidings::cli::main();
    }
    every_sweep_is_measured_and_reported();
    interruption_reports_the_points_so_far();
    ExitCode::SUCCESS
}

fn bench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bench-scaling"))
}

fn interruption_reports_the_points_so_far() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = bench()
        .args(["--quick", "--curves", "backlog,stored", "--tidings"])
        .arg(std::env::current_exe().unwrap())
        .arg("--page")
        .arg(folder.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let warning = log.next().unwrap().unwrap();
    assert!(warning.starts_with("warning: --curves is now --sweeps"), "{warning}");
    let first = log.next().unwrap().unwrap();
    assert!(first.starts_with("run 1 of 1: backlog, 1: "), "{first}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let rest: Vec<_> = log.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    assert!(rest.iter().any(|line| line.starts_with("interrupted: ")), "{rest:?}");

    let page = std::fs::read_to_string(folder.path().join("scaling.md")).unwrap();
    for part in ["The run was interrupted: points are missing.", "## Backlog of a user"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("## Stored notifications"), "{page}");
}

fn every_sweep_is_measured_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench()
        .args(["--quick", "--tidings"])
        .arg(std::env::current_exe().unwrap())
        .arg("--page")
        .arg(folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{log}", output.status);

    let file = folder.path().join("scaling.json");
    let results: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(results["notMeasured"], Value::Array(Vec::new()), "{log}");
    let measurements = results["measurements"].as_array().unwrap();
    let inputs_of = |sweep: &str| {
        let own = measurements.iter().filter(|one| one["sweep"] == sweep);
        own.map(|one| one["input"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    for (sweep, inputs) in [
        ("users", [10, 40]),
        ("backlog", [1, 20]),
        ("stored", [200, 2_000]),
        ("payload", [64, 10_240]),
        ("devices", [1, 3]),
        ("hub", [5, 20]),
    ] {
        assert_eq!(inputs_of(sweep), inputs, "{sweep}");
    }
    let metric = |sweep: &str, input: u64, name: &str| {
        let own = measurements.iter().find(|one| one["sweep"] == sweep && one["input"] == input).unwrap();
        own["metrics"][name].as_f64().unwrap_or_else(|| panic!("{sweep} {input} {name}\n{log}"))
    };
    // The expected deliveries follow from the scale.
    for (sweep, input, name, expected) in [
        ("users", 40, "replay.expected", 400.0_f64),
        ("users", 40, "online.expected", 400.0),
        ("backlog", 20, "replay.expected", 200.0),
        ("stored", 2_000, "deliver.expected", 2_000.0),
        ("payload", 10_240, "online.expected", 200.0),
        ("devices", 3, "online.expected", 600.0),
        ("hub", 20, "connected.expected", 200.0),
        ("hub", 20, "away.expected", 50.0),
    ] {
        assert_eq!(metric(sweep, input, name).to_bits(), expected.to_bits(), "{sweep} {input} {name}\n{log}");
    }
    assert!(metric("stored", 2_000, "stored.diskBytes") > 2_000.0 * 64.0);
    for name in ["killed.readySeconds", "stopped.readySeconds", "restarted.diskBytes"] {
        assert!(metric("stored", 200, name) > 0.0, "{name}");
    }

    let page = std::fs::read_to_string(folder.path().join("scaling.md")).unwrap();
    for part in ["## Growth", "## Members of a hub", "| held on disk | 200 | 2,000 |", "](scaling-stored-"] {
        assert!(page.contains(part), "{part}\n{page}");
    }

    // The page can be written again from the results.
    let again = tempfile::tempdir().unwrap();
    let output = bench().arg("--from").arg(&file).arg("--page").arg(again.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(again.path().join("scaling.md")).unwrap(), page);
}
