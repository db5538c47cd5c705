//! Counts lines of source code by package.

use std::path::Path;
use std::{fs, io};

/// Names of folders that builds and package managers write. They are not counted.
const GENERATED: [&str; 3] = ["dist", "node_modules", "target"];

/// Counts the lines of Rust and TypeScript below `folder`, tests included. A folder below it with a manifest
/// of its own (`Cargo.toml` or `package.json`) is another package and does not count.
///
/// # Errors
/// The error of the first file or folder that can't be read.
pub fn count(folder: &Path) -> io::Result<usize> {
    let mut lines = 0;
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let name = path.file_name().unwrap_or_default();
        if kind.is_dir() {
            let is_generated = GENERATED.iter().any(|generated| name == *generated);
            if !is_generated && !is_package(&path) {
                lines += count(&path)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rs" || extension == "ts" || extension == "tsx")
        {
            lines += fs::read_to_string(&path)?.lines().count();
        }
    }
    Ok(lines)
}

/// Returns true if the folder has a manifest of Cargo or npm.
pub fn is_package(folder: &Path) -> bool {
    folder.join("Cargo.toml").exists() || folder.join("package.json").exists()
}
