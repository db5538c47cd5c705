//! The store on damaged files. It recovers exactly what was durable, or refuses with the damage, or fails
//! with an error where it is read. It never loses anything silently.
//!
//! `TIDINGS_DAMAGE_CASES` sets the number of cases. These tests are a program of their own because they start
//! processes: see [`ALONE`].
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod cases;
mod earlier;
mod processes;
mod seed;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tidings_store::{Damage, OpenError, Store, check, repair};
use verification_conformance::ManualClock;

use cases::{Case, Kind};
use seed::{Content, Seed, copy, settings, user_names};

/// Default number of cases: enough for every file and kind of damage, in well under a minute.
const CASES: usize = 160;

/// Cases tried at the same time.
const AT_ONCE: usize = 4;

/// The result of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Exact,
    Refused,
    LoudWhenRead,
}

/// Held by each test while it runs. Between its fork and its exec, a child process of one test has all open
/// files of this process, and so the lock of another test's store.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Opens a damaged store and reads all of it.
async fn outcome(directory: &Path, expected: &Content) -> Result<Outcome, String> {
    let before = seed::files(directory);
    let store = match Store::open(directory, settings(), ManualClock::default()) {
        Ok(store) => store,
        Err(error @ OpenError::Damaged { .. }) => {
            let text = error.to_string();
            if !text.contains("tidings store check") || !text.contains(&directory.display().to_string()) {
                return Err(format!("unclear: {text}"));
            }
            return if seed::files(directory) == before {
                Ok(Outcome::Refused)
            } else {
                Err("a file was changed by a start that was refused".to_owned())
            };
        }
        Err(error) => return Err(format!("refused for another reason: {error:?}")),
    };
    let mut loud = false;
    let mut found = Content::default();
    for name in user_names() {
        let rows = seed::mailbox(&store, &name).await;
        loud |= rows.is_err();
        let rows = rows.unwrap_or_else(|_| expected.mailboxes[&name].clone());
        found.mailboxes.insert(name, rows);
    }
    let dead = store.dead_letters(None, 1_000).await;
    let dead = dead.map(|page| page.letters.iter().map(|letter| letter.id.number()).collect());
    let table = store.table("users").list();
    loud |= dead.is_err() || table.is_err();
    found.dead = dead.unwrap_or_else(|_| expected.dead.clone());
    found.table = table.unwrap_or_else(|_| expected.table.clone());
    if found != *expected {
        return Err(format!("silently different: {}", found.difference(expected)));
    }
    // Recently accepted ids are still known: a silent loss of one record would be a loss of all.
    for (name, n) in &expected.latest_ids {
        match store.accept(vec![seed::deduplicated(name, *n)]).await {
            Ok(accepted) if accepted[0].duplicate => {}
            Ok(_) => return Err(format!("{n} of {name} was accepted twice")),
            Err(_) => loud = true,
        }
    }
    Ok(if loud { Outcome::LoudWhenRead } else { Outcome::Exact })
}

/// Checks a repaired store: it has nothing but accepted notifications, and all but those that the report
/// names.
async fn repaired(directory: &Path, expected: &Content) -> Result<(), String> {
    let report = repair(directory, &settings()).map_err(|error| format!("no repair: {error:?}"))?;
    let check = check(directory).map_err(|error| format!("no check: {error:?}"))?;
    if !check.damage.is_empty() {
        return Err(format!("damaged after the repair: {:?}", check.damage));
    }
    let store = Store::open(directory, settings(), ManualClock::default()).map_err(|e| format!("{e:?}"))?;
    let mut missing = 0;
    for name in user_names() {
        let rows = seed::mailbox(&store, &name).await.map_err(|error| format!("{error:?}"))?;
        if !rows.is_sorted() || rows.iter().any(|row| !expected.accepted[&name].contains(row)) {
            return Err(format!("out of order or never accepted: {rows:?}"));
        }
        missing += expected.mailboxes[&name].iter().filter(|row| !rows.contains(row)).count() as u64;
    }
    let file = |damage: &Damage| matches!(damage, Damage::File { path, .. } if !path.ends_with("mark"));
    let excused = report.unreadable_parts > 0 || report.damage.iter().any(file);
    if missing > report.lost_notifications && !excused {
        return Err(format!("{missing} missing, and the report is {report:?}"));
    }
    Ok(())
}

/// Runs one case in a copy of the store.
async fn try_case(seed: &Seed, case: &Case, at: usize, directory: &Path) -> Result<Outcome, String> {
    copy(seed.now.path(), directory);
    case.apply(seed, directory);
    let tried = AssertUnwindSafe(outcome(directory, &seed.content)).catch_unwind().await;
    let outcome = tried.unwrap_or_else(|_| Err("panicked".to_owned()))?;
    if outcome != Outcome::Exact && at.is_multiple_of(7) {
        let repaired = repaired(directory, &seed.content).await;
        repaired.map_err(|why| format!("after a repair: {why}"))?;
    }
    std::fs::remove_dir_all(directory).unwrap();
    Ok(outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_damage_is_noticed() {
    let _alone = ALONE.lock().await;
    let seed = Arc::new(Seed::make().await);
    let count = std::env::var("TIDINGS_DAMAGE_CASES").ok().and_then(|count| count.parse().ok());
    let cases = Arc::new(cases::cases(&seed, count.unwrap_or(CASES)));
    let scratch = tempfile::tempdir().unwrap();
    // A case waits for the disk most of the time.
    let workers = (0..AT_ONCE).map(|worker| {
        let (seed, cases, scratch) = (Arc::clone(&seed), Arc::clone(&cases), scratch.path().to_owned());
        tokio::spawn(async move {
            let mut results = Vec::new();
            for (at, case) in cases.iter().enumerate().skip(worker).step_by(AT_ONCE) {
                let result = try_case(&seed, case, at, &scratch.join(at.to_string())).await;
                results.push((case.clone(), result));
            }
            results
        })
    });
    let (mut outcomes, mut failures) = (BTreeMap::<(Kind, String, Outcome), usize>::new(), Vec::new());
    for (case, result) in join_all(workers).await.into_iter().flat_map(Result::unwrap) {
        match result {
            Ok(outcome) => *outcomes.entry((case.kind(), case.file_kind(), outcome)).or_default() += 1,
            Err(why) => failures.push(format!("{case:?}: {why}")),
        }
    }
    for ((kind, file, outcome), count) in &outcomes {
        println!("{kind:?} {file}: {outcome:?} {count}");
    }
    let total = |wanted: Outcome| -> usize {
        outcomes.iter().filter(|((.., outcome), _)| *outcome == wanted).map(|(_, count)| count).sum()
    };
    let sums = [Outcome::Exact, Outcome::Refused, Outcome::LoudWhenRead].map(total);
    println!("{} cases: exact, refused, loud when read: {sums:?}", cases.len());
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
    assert!(sums.iter().all(|sum| *sum > 0), "some outcome never came about: {sums:?}");
}

#[tokio::test]
async fn undamaged_store_is_exact() {
    let _alone = ALONE.lock().await;
    let seed = Seed::make().await;
    let directory = tempfile::tempdir().unwrap();
    let copied = directory.path().join("store");
    copy(seed.now.path(), &copied);
    assert_eq!(check(&copied).unwrap().damage, []);
    assert_eq!(outcome(&copied, &seed.content).await, Ok(Outcome::Exact));
}

#[tokio::test]
async fn older_engine_with_newer_marker_is_refused() {
    let _alone = ALONE.lock().await;
    let seed = Seed::make().await;
    let directory = tempfile::tempdir().unwrap();
    let copied = directory.path().join("store");
    copy(seed.older.path(), &copied);
    std::fs::copy(seed.now.path().join("mark"), copied.join("mark")).unwrap();
    assert_eq!(outcome(&copied, &seed.content).await, Ok(Outcome::Refused));
    repaired(&copied, &seed.content).await.unwrap();
}
