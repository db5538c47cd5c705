//! That measuring works: every curve, with small numbers.
//!
//! This program is the server of Tidings, too, when it is called as that.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::process::{Command, ExitCode};

use serde_json::Value;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "serve" || argument == "--version") {
        return tidings::cli::main();
    }
    every_curve_is_measured_and_told();
    ExitCode::SUCCESS
}

fn every_curve_is_measured_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let bench = || Command::new(env!("CARGO_BIN_EXE_bench-scaling"));
    let output = bench()
        .args(["--quick", "--tidings"])
        .arg(std::env::current_exe().unwrap())
        .arg("--page")
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);

    let file = folder.path().join("scaling.json");
    let results: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(results["leftOut"], Value::Array(Vec::new()), "{said}");
    let measurements = results["measurements"].as_array().unwrap();
    let of = |curve: &str| {
        let own = measurements.iter().filter(|one| one["curve"] == curve);
        own.map(|one| one["input"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    for (curve, inputs) in [
        ("users", [10, 40]),
        ("backlog", [1, 20]),
        ("stored", [200, 2_000]),
        ("payload", [64, 10_240]),
        ("devices", [1, 3]),
        ("hub", [5, 20]),
    ] {
        assert_eq!(of(curve), inputs, "{curve}");
    }
    let figure = |curve: &str, input: u64, key: &str| {
        let own = measurements.iter().find(|one| one["curve"] == curve && one["input"] == input).unwrap();
        own["figures"][key].as_f64().unwrap_or_else(|| panic!("{curve} {input} {key}\n{said}"))
    };
    // What should have come is known, and is as much as the scale says.
    for (curve, input, key, expected) in [
        ("users", 40, "replay.expected", 400.0_f64),
        ("users", 40, "online.expected", 400.0),
        ("backlog", 20, "replay.expected", 200.0),
        ("stored", 2_000, "deliver.expected", 2_000.0),
        ("payload", 10_240, "online.expected", 200.0),
        ("devices", 3, "online.expected", 600.0),
        ("hub", 20, "connected.expected", 200.0),
        ("hub", 20, "away.expected", 50.0),
    ] {
        assert_eq!(figure(curve, input, key).to_bits(), expected.to_bits(), "{curve} {input} {key}\n{said}");
    }
    assert!(figure("stored", 2_000, "stored.diskBytes") > 2_000.0 * 64.0);
    for key in ["killed.readySeconds", "stopped.readySeconds", "restarted.diskBytes"] {
        assert!(figure("stored", 200, key) > 0.0, "{key}");
    }

    let page = std::fs::read_to_string(folder.path().join("scaling.md")).unwrap();
    for part in ["## Growth", "## Members of a hub", "| held on disk | 200 | 2,000 |", "](scaling-stored-"] {
        assert!(page.contains(part), "{part}\n{page}");
    }

    // The page can be made again of the figures alone.
    let again = tempfile::tempdir().unwrap();
    let output = bench().arg("--from").arg(&file).arg("--page").arg(again.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(again.path().join("scaling.md")).unwrap(), page);
}
