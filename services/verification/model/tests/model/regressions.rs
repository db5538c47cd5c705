//! Counterexamples that once broke a promise, replayed.

use std::fs;
use std::path::{Path, PathBuf};

use verification_model::{Rule, SavedCounterexample};

fn saved() -> Vec<(PathBuf, SavedCounterexample)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let saved = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path, saved)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_rule_has_a_saved_counterexample() {
    for rule in Rule::needed() {
        assert!(saved().iter().any(|(_, saved)| saved.without == Some(rule)), "{rule:?}");
    }
}

#[test]
fn counterexample_breaks_promise_without_its_rule() {
    for (path, saved) in saved().iter().filter(|(_, saved)| saved.without.is_some()) {
        let broken = saved.replay().unwrap_or_else(|e| panic!("{}: {e:#}", path.display()));
        assert_eq!(broken, Some(saved.breaks), "{}", path.display());
    }
}

#[test]
fn counterexample_is_harmless_with_all_rules() {
    for (path, saved) in saved() {
        let broken = saved.replay_with_all_rules().unwrap();
        assert_eq!(broken, None, "{}:\n{}", path.display(), saved.trace.join("\n"));
    }
}
