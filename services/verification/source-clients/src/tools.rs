//! Programs that are installed for tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/python-clients");

/// The Python that has what clients need.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let installed = Command::new(INSTALL).stderr(Stdio::inherit()).output().unwrap();
    assert!(installed.status.success(), "run `scripts/python-clients` to see what is missing");
    String::from_utf8(installed.stdout).unwrap().trim().into()
});

/// A Python with the package `websockets`.
pub fn python() -> &'static Path {
    &PYTHON
}

/// The folder of the AWS CLI.
pub fn aws_cli() -> &'static Path {
    PYTHON.parent().unwrap()
}
