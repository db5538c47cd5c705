//! Stories that once broke a promise, gone through again.

use std::fs;
use std::path::{Path, PathBuf};

use verification_model::{Rule, SavedStory};

fn saved() -> Vec<(PathBuf, SavedStory)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let story = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path, story)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn there_is_a_story_for_every_rule() {
    for rule in Rule::needed() {
        assert!(saved().iter().any(|(_, story)| story.without == Some(rule)), "{rule:?}");
    }
}

#[test]
fn the_story_breaks_its_promise_where_its_rule_is_left_out() {
    for (path, story) in saved().iter().filter(|(_, story)| story.without.is_some()) {
        let broken = story.replay(false).unwrap_or_else(|e| panic!("{}: {e:#}", path.display()));
        assert_eq!(broken, Some(story.breaks), "{}", path.display());
    }
}

#[test]
fn the_story_breaks_nothing_with_all_rules() {
    for (path, story) in saved() {
        let broken = story.replay(true).unwrap();
        assert_eq!(broken, None, "{}:\n{}", path.display(), story.story.join("\n"));
    }
}
