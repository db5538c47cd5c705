//! No package has too large a share of the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use verification_architecture::lines;

use super::repository;

/// Largest share of all lines of Rust and TypeScript in one package, in percent.
const MAX_SHARE: usize = 15;

/// Folders of the repository that contain packages.
const ROOMS: [&str; 3] = ["contracts", "pulumi", "services"];

/// Returns the packages at and below `folder`.
fn packages(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = lines::is_package(folder).then(|| folder.to_owned()).into_iter().collect();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let generated = ["dist", "node_modules", "target"].iter().any(|name| entry.file_name() == *name);
        if entry.file_type().unwrap().is_dir() && !generated {
            found.extend(packages(&entry.path()));
        }
    }
    found
}

#[test]
fn no_package_holds_more_than_its_share() {
    let root = repository();
    let packages = ROOMS.iter().flat_map(|room| packages(&root.join(room)));
    let sizes: BTreeMap<PathBuf, usize> = packages
        .map(|package| (package.strip_prefix(&root).unwrap().to_owned(), lines::count(&package).unwrap()))
        .collect();
    let all: usize = sizes.values().sum();
    assert!(sizes.len() > 30 && all > 50_000, "{} packages with {all} lines", sizes.len());
    let large: Vec<_> = sizes.iter().filter(|(_, lines)| **lines * 100 > all * MAX_SHARE).collect();
    assert!(large.is_empty(), "more than {MAX_SHARE} % of {all} lines: {large:?}");
}
