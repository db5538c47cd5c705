//! The documents: every program in them is run by a test, and every test that they name exists.

use std::path::Path;

use verification_snippets::{document, parse};

/// The page about clients.
const CLIENTS: &str = "docs/how-to/clients.md";

/// Languages of blocks that are not programs.
const NO_PROGRAM: [&str; 2] = ["toml", "json"];

/// Documents whose programs are all run, and the expression by which tests name them.
const DOCUMENTS: [(&str, &str); 5] = [
    ("README.md", r#""README.md""#),
    (CLIENTS, "CLIENTS"),
    ("docs/how-to/deploy.md", r#""docs/how-to/deploy.md""#),
    ("docs/reference/user-ids.md", r#""docs/reference/user-ids.md""#),
    ("services/clients/typescript/README.md", "README"),
];

/// Folders of those tests.
const TESTS: [&str; 4] = [
    "services/verification/acceptance/tests/acceptance",
    "services/verification/acceptance/aws/tests/aws",
    "services/web/browser/test",
    "services/clients/typescript/test",
];

#[test]
fn every_documented_program_is_run() {
    let files = TESTS.iter().flat_map(|folder| std::fs::read_dir(document(folder)).unwrap());
    let tests: Vec<_> = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok()).collect();
    for (path, called) in DOCUMENTS {
        let text = std::fs::read_to_string(document(path)).unwrap();
        let programs = parse(&text);
        assert!(!programs.is_empty(), "{path} has no programs");
        for program in &programs {
            let call = format!("snippet({called}, {:?})", program.name);
            assert!(tests.iter().any(|test| test.contains(&call)), "no test has {call}");
        }
    }
}

#[test]
fn every_code_block_of_clients_md_is_run() {
    let text = std::fs::read_to_string(document(CLIENTS)).unwrap();
    let blocks =
        text.lines().filter_map(|line| line.strip_prefix("```")).filter(|language| !language.is_empty());
    let programs = blocks.filter(|language| !NO_PROGRAM.contains(language)).count();
    assert_eq!(parse(&text).len(), programs);
}

/// Tests named in links like [`name`](../../services/x/tests/y.rs), with their files.
fn tests_named_in(guide: &str) -> Vec<(String, String)> {
    let links = guide.split("[`").skip(1).filter_map(|rest| rest.split_once("`]("));
    let links = links.filter_map(|(name, rest)| Some((name, rest.split_once(')')?.0)));
    let to_tests = links.filter(|(_, path)| Path::new(path).extension().is_some_and(|end| end == "rs"));
    to_tests.map(|(name, path)| (name.to_owned(), path.to_owned())).collect()
}

#[test]
fn documents_name_existing_tests() {
    let guides = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/how-to/migrate"));
    let mut named = 0;
    let guides = std::fs::read_dir(guides).unwrap().map(|guide| guide.unwrap().path());
    for guide in guides.chain([document("docs/reference/tables.md")]) {
        for (name, path) in tests_named_in(&std::fs::read_to_string(&guide).unwrap()) {
            let source = std::fs::read_to_string(guide.parent().unwrap().join(&path));
            let source = source.unwrap_or_else(|error| panic!("{}: {path}: {error}", guide.display()));
            let test = format!("fn {name}(");
            assert!(source.contains(&test), "{}: {path} has no test {name}", guide.display());
            named += 1;
        }
    }
    assert!(named >= 15, "only {named} tests are named");
}
