//! Other processes: one that has the store open, and one that is killed while it writes.
//!
//! They are this test program, which a variable tells to play that part.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tidings_store::{OpenError, Store, Submission};
use verification_conformance::{ManualClock, notification, user};

use super::seed::{content, mailbox, settings};

const DIRECTORY: &str = "TIDINGS_TEST_STORE";

/// The part of the other process: accepts notifications one by one and prints each, until it is killed.
#[tokio::test]
async fn other_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = Store::open(Path::new(&directory), settings(), ManualClock::default()).unwrap();
    store.expect_delivery(|_| true);
    let mut output = std::io::stdout();
    for n in 0.. {
        let submission = Submission { notification: notification(&user("a"), n), deduplicate: false };
        store.accept(vec![submission]).await.unwrap();
        writeln!(output, "\naccepted {n}").unwrap();
    }
}

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::other_process", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the other process has printed `count` acceptances, kills it, and returns the number it had
/// accepted.
fn kill_after(mut child: Child, count: usize, meanwhile: impl FnOnce()) -> u64 {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut line, mut said) = (String::new(), 0);
    while said < count {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the other process ended");
        said += usize::from(line.starts_with("accepted "));
    }
    meanwhile();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    // The last line may be cut off: its acceptance may be visible or not.
    let (whole, _) = rest.rsplit_once('\n').unwrap_or_default();
    (said + whole.lines().filter(|line| line.starts_with("accepted ")).count()) as u64
}

#[tokio::test]
async fn second_process_is_refused() {
    let _alone = crate::ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(dir.path(), settings(), ManualClock::default());
    kill_after(start(dir.path()), 1, || {
        assert!(matches!(open().unwrap_err(), OpenError::InUse { .. }));
        assert!(matches!(tidings_store::check(dir.path()).unwrap_err(), OpenError::InUse { .. }));
        assert!(matches!(
            tidings_store::repair(dir.path(), &settings()).unwrap_err(),
            OpenError::InUse { .. }
        ));
    });
    open().unwrap();
}

#[tokio::test]
async fn killed_process_leaves_an_exact_marker() {
    let _alone = crate::ALONE.lock().await;
    for count in [1, 2, 7, 30, 31, 64, 100, 150] {
        let dir = tempfile::tempdir().unwrap();
        let accepted = kill_after(start(dir.path()), count, || {});
        let journal = dir.path().join("engine/0.jnl");
        let bytes = content(&journal);
        // The first batch is that of the store's creation; each later one is an acceptance.
        let ends: Vec<usize> = (1..=bytes.len()).filter(|at| bytes[..*at].ends_with(b"FJL\x03")).collect();
        let last = ends[usize::try_from(accepted).unwrap() - 1];
        let all = std::fs::read(&journal).unwrap();
        for cut in [last, last + 1, ends[usize::try_from(accepted).unwrap()] - 1] {
            std::fs::write(&journal, &bytes[..cut]).unwrap();
            let error = Store::open(dir.path(), settings(), ManualClock::default()).unwrap_err();
            assert!(matches!(error, OpenError::Damaged { .. }), "{count} {cut}: {error:?}");
        }
        std::fs::write(&journal, all).unwrap();
        let store = Store::open(dir.path(), settings(), ManualClock::default()).unwrap();
        let held = mailbox(&store, "a").await.unwrap();
        assert!(held.len() as u64 >= accepted, "{} of {accepted}", held.len());
        assert_eq!(held, (0..held.len() as u64).collect::<Vec<_>>());
    }
}
