//! Modules have no circular dependencies.

use std::fs;

use verification_architecture::modules::{Circle, circles};

use super::METADATA;

#[test]
fn modules_form_no_circle() {
    let mut found = Vec::new();
    for package in METADATA.workspace_packages() {
        for target in package.targets.iter().filter(|target| target.is_lib() || target.is_bin()) {
            let circles = circles(target.src_path.as_std_path()).unwrap();
            found.extend(
                circles
                    .into_iter()
                    .map(|Circle(modules)| format!("{}: {}", package.name, modules.join(" <-> "))),
            );
        }
    }
    assert!(found.is_empty(), "modules in a circle:\n{}", found.join("\n"));
}

/// Returns the circles of a crate made of `files`, each given as a path and its text.
fn circles_of(files: &[(&str, &str)]) -> Vec<Circle> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    circles(&folder.path().join("lib.rs")).unwrap()
}

#[test]
fn circle_by_direct_use_is_found() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::Name; use super::c;"),
        ("b.rs", "pub struct Name; fn f() { super::a::g() }"),
        ("c.rs", ""),
    ]);
    assert_eq!(found, [Circle(vec!["a".into(), "b".into()])]);
}

#[test]
fn circle_by_re_export_is_found() {
    let found = circles_of(&[
        ("lib.rs", "mod a; pub use a::inner::Name; mod b;"),
        ("a.rs", "pub mod inner; pub mod other;"),
        ("a/inner.rs", "use super::other::Other; pub struct Name;"),
        ("a/other.rs", "pub struct Other; use crate::Name;"),
        ("b.rs", "use crate::a::inner;"),
    ]);
    assert_eq!(found, [Circle(vec!["a::inner".into(), "a::other".into()])]);
}

#[test]
fn one_way_use_is_no_circle() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; mod c { use crate::b; }"),
        ("a.rs", "use crate::b::Name; #[cfg(test)] mod tests { use crate::b; }"),
        ("b.rs", "pub struct Name; #[cfg(test)] mod tests { use crate::a; }"),
    ]);
    assert_eq!(found, []);
}
