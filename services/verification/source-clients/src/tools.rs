//! Programs that `scripts/python-clients` installs for tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/python-clients");

/// A Python with the packages that clients need.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let installed = Command::new(INSTALL).stderr(Stdio::inherit()).output().unwrap();
    assert!(installed.status.success(), "run `scripts/python-clients` to see what is missing");
    String::from_utf8(installed.stdout).unwrap().trim().into()
});

/// Returns a Python with the package `websockets`, installing it at the first call.
pub fn python() -> &'static Path {
    &PYTHON
}

/// Returns the folder with the AWS CLI, installing it at the first call.
pub fn aws_cli() -> &'static Path {
    PYTHON.parent().unwrap()
}
