//! The rules of the architecture (docs/explanation/architecture.md), checked over the workspace.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod circles;
mod dependencies;
mod sizes;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cargo_metadata::{Metadata, MetadataCommand};

static METADATA: LazyLock<Metadata> =
    LazyLock::new(|| MetadataCommand::new().exec().expect("cargo metadata runs in the workspace"));

fn repository() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../..")).canonicalize().unwrap()
}
