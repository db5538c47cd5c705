//! A full disk: no accepted notification is lost, and the store recovers by itself.

use std::time::{Duration, Instant};

use dispatcher::core::run::Outcome;
use tidings_store::{AcceptError, StorageSettings, Store, Submission};
use verification_conformance::{ManualClock, SmallDisk, user};

use crate::support::{
    TestStore, accept, complete, mailbox, payloads, sequences_of, settings, store, submissions,
};

/// Notifications of a kilobyte, deduplicated, so that repeating them does no harm.
fn batch(first: u64, count: u64) -> Vec<Submission> {
    let padding = "x".repeat(1_024);
    let mut batch = submissions(&user("a"), first..first + count);
    for submission in &mut batch {
        submission.deduplicate = true;
        submission.notification.source = Some(padding.as_str().into());
    }
    batch
}

/// Returns true if the last journal ends with part of a commit: whole commits end with these four bytes.
fn ends_amid_a_commit(directory: &std::path::Path) -> bool {
    let files = std::fs::read_dir(directory.join("engine")).unwrap().map(|file| file.unwrap().path());
    let number = |path: &std::path::PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let last = files.filter(|path| path.extension().is_some_and(|e| e == "jnl")).max_by_key(number).unwrap();
    let bytes = std::fs::read(last).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    end > 0 && !bytes[..end].ends_with(b"FJL\x03")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_loses_nothing_and_recovers() {
    let (mount, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let disk = SmallDisk::mount(mount.path(), 128);
    let directory = disk.path().join("store");
    let settings = StorageSettings { memtable_bytes: 4 * 1024 * 1024, hot_entries: 10, ..settings() };
    let store = Store::open(&directory, settings.clone(), clock.clone()).unwrap();
    store.accept(batch(0, 1_000)).await.unwrap();
    let mut accepted = 1_000;
    disk.fill();
    let deadline = Instant::now() + Duration::from_mins(1);
    let error = loop {
        assert!(Instant::now() < deadline, "the disk was never full");
        match tokio::time::timeout(Duration::from_secs(20), store.accept(batch(accepted, 500))).await {
            Ok(Ok(_)) => accepted += 500,
            Ok(Err(error)) => break error,
            Err(elapsed) => panic!("no answer while the disk is full: {elapsed}"),
        }
    };
    assert!(matches!(error, AcceptError::DiskFull | AcceptError::Unavailable), "{error}");
    assert!(!store.is_ready());
    assert!(store.stats().failures > 0, "the engine itself was to meet the full disk");
    assert!(ends_amid_a_commit(&directory), "the disk was to be full in the middle of a commit");
    // Deliveries go on.
    let run = store.receive().await;
    assert_eq!(payloads(&run), (0..10).collect::<Vec<_>>());
    complete(&store, run, Outcome::Done);
    let run = store.receive().await;
    assert_eq!(payloads(&run)[0], 10);
    complete(&store, run, Outcome::Retry);
    disk.free();
    // The producer sends the refused notifications again, and the store recovers by itself.
    let first_refused = accepted;
    loop {
        assert!(Instant::now() < deadline, "the store did not recover");
        match store.accept(batch(first_refused, 500)).await {
            Ok(_) => break,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    accepted += 500;
    assert!(store.is_ready());
    store.flush().await.unwrap();
    // In order, each once, whether it was refused in between or not.
    clock.advance(Duration::from_secs(1));
    let mut delivered = Vec::new();
    while let Some(run) = store.try_receive() {
        delivered.extend(payloads(&run));
        let outcome = if delivered.len() < 500 { Outcome::Done } else { Outcome::Retry };
        complete(&store, run, outcome);
    }
    let count = u64::try_from(delivered.len()).unwrap();
    assert_eq!(delivered, (10..10 + count).collect::<Vec<_>>());
    drop(store);
    let store = Store::open(&directory, settings, clock).unwrap();
    let held = mailbox(&store, &user("a")).await;
    assert_eq!(held.last(), Some(&(accepted - 1)));
    assert!(held.windows(2).all(|pair| pair[1] == pair[0] + 1), "none missing, none twice");
    assert!(held[0] > 10 && held[0] <= 10 + count, "{}", held[0]);
}

#[tokio::test]
async fn notification_is_refused_below_the_reserve() {
    let (dir, store, clock) = store();
    accept(&store, &user("a"), [1]).await;
    drop(store);
    let low = StorageSettings { reserve_bytes: u64::MAX, ..settings() };
    let store = Store::open(dir.path(), low, clock).unwrap();
    assert!(!store.is_ready());
    assert_eq!(store.accept(submissions(&user("a"), [2])).await, Err(AcceptError::DiskFull));
    assert_eq!(mailbox(&store, &user("a")).await, [1]);
}

#[tokio::test]
async fn lazy_rows_leave_the_reserve_of_producers() {
    let (dir, store, clock) = store();
    let row = |key: &str| (key.as_bytes().to_vec(), b"value".to_vec());
    store.table("notes").change_lazily(vec![row("a"), row("b")], Vec::new()).await.unwrap();
    drop(store);
    let low = StorageSettings { client_reserve_bytes: u64::MAX, ..settings() };
    let store = Store::open(dir.path(), low, clock).unwrap();
    let notes = store.table("notes");
    assert!(notes.change_lazily(vec![row("c")], Vec::new()).await.is_err());
    assert!(notes.change_lazily(vec![row("c")], vec![b"a".to_vec()]).await.is_err());
    assert_eq!(notes.list().unwrap().len(), 2);
    notes.change_lazily(Vec::new(), vec![b"a".to_vec()]).await.unwrap();
    assert_eq!(notes.list().unwrap(), [row("b")]);
    accept(&store, &user("a"), [1]).await;
}

/// Accepts notifications of a kilobyte until the disk is full, and returns their number.
async fn fill_with_notifications(store: &TestStore, mut first: u64) -> u64 {
    loop {
        match store.accept(batch(first, 500)).await {
            Ok(_) => first += 500,
            Err(AcceptError::DiskFull) => return first,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Accepts one notification as soon as there is room.
async fn accept_when_there_is_room(store: &TestStore, number: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = store.accept(batch(number, 1)).await {
        assert!(Instant::now() < deadline, "{error}, although nothing is stored");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emptied_store_on_a_small_disk_accepts_again() {
    let (mount, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let disk = SmallDisk::mount(mount.path(), 64);
    let directory = disk.path().join("store");
    // The engine's memory and journal alone could take more than the disk has.
    let settings = StorageSettings { reserve_bytes: 8 * 1024 * 1024, ..StorageSettings::default() };
    let open = || Store::open(&directory, settings.clone(), clock.clone()).unwrap();
    let mut store = open();
    let mut number = 0;
    for restarts in [false, true] {
        number = fill_with_notifications(&store, number).await;
        assert!(!store.is_ready());
        if restarts {
            drop(store);
            store = open();
            assert_eq!(mailbox(&store, &user("a")).await.last(), Some(&(number - 1)));
            let held = mailbox(&store, &user("a")).await;
            let sequences = sequences_of(&store, &user("a")).await;
            assert_eq!(held.len(), sequences.len());
            ws_edge::ports::Mailbox::acknowledge(&store, &user("a"), &sequences).await.unwrap();
        } else {
            while let Some(run) = store.try_receive() {
                complete(&store, run, Outcome::Done);
            }
        }
        accept_when_there_is_room(&store, number).await;
        number += 1;
        while let Some(run) = store.try_receive() {
            complete(&store, run, Outcome::Done);
        }
    }
    assert_eq!(store.stats().failures, 0);
}
