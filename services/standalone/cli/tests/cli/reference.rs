//! The committed pages of the reference are those that the program prints.

use std::path::Path;
use std::process::Command;

/// Environment variable that makes these tests rewrite the pages.
const UPDATE_VARIABLE: &str = "UPDATE_DOCS";

/// Compares the page that `tidings reference` prints with the committed file, or rewrites the file.
#[track_caller]
fn check(page: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_tidings")).args(["reference", page]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let current = String::from_utf8(output.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../../docs/reference/{page}.md"));
    if std::env::var_os(UPDATE_VARIABLE).is_some() {
        std::fs::write(&path, current).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "{page}.md is not current: run the tests with {UPDATE_VARIABLE}=1");
}

#[test]
fn page_of_the_command_line_is_current() {
    check("cli");
}

#[test]
fn page_of_exit_codes_is_current() {
    check("exit-codes");
}
