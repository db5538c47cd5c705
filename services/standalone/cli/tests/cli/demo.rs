//! Test of the demonstration.

use std::process::Command;

#[test]
fn every_promise_is_kept() {
    let output = Command::new(env!("CARGO_BIN_EXE_tidings")).args(["demo", "--json"]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let steps: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(steps.len(), 6);
    assert!(steps.iter().all(|step| step["kept"] == true), "{stdout}");
}
