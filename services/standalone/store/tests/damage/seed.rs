//! A store with every kind of file, and its contents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contract_notifications_v1::Sequence;
use dispatcher::core::run::Outcome;
use dispatcher::ports::{Mailbox as _, PageQuery};
use shared_ports::PortError;
use tempfile::TempDir;
use tidings_store::{StorageSettings, Store, Submission};
use verification_conformance::{ManualClock, connection, notification, user};

const USERS: usize = 6;
const TRAILER: &[u8] = b"FJL\x03";
/// Bytes of a notification, so that there are many blocks and tables.
const PADDING: usize = 700;

pub(crate) type TestStore = Store<ManualClock>;

pub(crate) fn settings() -> StorageSettings {
    StorageSettings {
        memtable_bytes: 96 * 1024,
        cache_bytes: 1024 * 1024,
        reserve_bytes: 0,
        max_receive_count: 1,
        dedup_window: Duration::from_hours(1),
        ..StorageSettings::default()
    }
}

pub(crate) fn user_names() -> impl Iterator<Item = String> {
    (0..USERS).map(|n| format!("user-{n}"))
}

/// The contents of a store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) mailboxes: BTreeMap<String, Vec<u64>>,
    pub(crate) dead: Vec<u128>,
    pub(crate) table: Vec<(Vec<u8>, Vec<u8>)>,
    /// All notifications ever accepted.
    pub(crate) accepted: BTreeMap<String, Vec<u64>>,
    /// Ids accepted by the last commits, by user.
    pub(crate) latest_ids: Vec<(String, u64)>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        (&self.mailboxes, &self.dead, &self.table) == (&other.mailboxes, &other.dead, &other.table)
    }
}

impl Content {
    pub(crate) fn difference(&self, expected: &Self) -> String {
        let rows = |content: &Self| content.mailboxes.values().map(Vec::len).collect::<Vec<_>>();
        format!(
            "rows {:?} for {:?}, dead letters {} for {}, table rows {} for {}",
            rows(self),
            rows(expected),
            self.dead.len(),
            expected.dead.len(),
            self.table.len(),
            expected.table.len()
        )
    }
}

pub(crate) fn deduplicated(name: &str, n: u64) -> Submission {
    let mut notification = notification(&user(name), n);
    notification.source = Some("x".repeat(PADDING).into());
    Submission { notification, deduplicate: true }
}

/// Returns the payloads of a mailbox, or an error if it can't be read.
pub(crate) async fn mailbox(store: &TestStore, name: &str) -> Result<Vec<u64>, PortError> {
    let due_for = vec![connection("nobody")];
    let query = PageQuery { after: None, up_to: Sequence::MAX, due_for, limit: 100_000 };
    let page = store.page(&user(name), query).await?;
    Ok(page.rows.iter().map(|row| row.notification.payload.get().parse().unwrap()).collect())
}

/// A store at an earlier time and now.
pub(crate) struct Seed {
    pub(crate) older: TempDir,
    pub(crate) now: TempDir,
    pub(crate) content: Content,
}

impl Seed {
    pub(crate) async fn make() -> Self {
        let (older, now, work) = (dir(), dir(), dir());
        let engine = work.path().join("engine");
        let mut content = Content::default();
        session(work.path(), &mut content, 0..20).await;
        rotate(&engine, 0);
        copy(work.path(), older.path());
        // The contents of a sealed journal come to table files, and the journal is deleted.
        session(work.path(), &mut content, 20..40).await;
        assert!(!engine.join("0.jnl").exists());
        split(&engine, 1, 3);
        copy(work.path(), now.path());
        Self { older, now, content }
    }
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Accepts, delivers, dead-letters and deletes.
async fn session(directory: &Path, content: &mut Content, commits: std::ops::Range<u64>) {
    let store = Store::open(directory, settings(), ManualClock::default()).unwrap();
    store.expect_delivery(|user| soon(user.as_str()));
    let deadline = Instant::now() + Duration::from_secs(30);
    while commits.start > 0 && directory.join("engine/0.jnl").exists() {
        assert!(Instant::now() < deadline, "the sealed journal was not flushed");
        // The engine looks at its journals when it has flushed something.
        store.table("users").put(b"wait", &[0; 1024]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for n in commits.clone() {
        for (at, name) in user_names().enumerate() {
            let numbers = [n * 10, n * 10 + 1];
            store.accept(numbers.map(|n| deduplicated(&name, n)).to_vec()).await.unwrap();
            content.accepted.entry(name.clone()).or_default().extend(numbers);
            content.latest_ids.retain(|(other, _)| *other != name);
            content.latest_ids.push((name.clone(), n * 10));
            let run = store.try_receive().unwrap();
            assert_eq!(run.user().as_str(), name);
            // One user's notifications are delivered, another's become dead letters now and then, the others'
            // are held.
            let outcomes: Vec<_> = match at {
                0 => vec![Outcome::Done; 2],
                1 if n % 3 == 0 => vec![Outcome::Retry, Outcome::Done],
                _ => {
                    hold(&store, &run).await;
                    vec![Outcome::Done; 2]
                }
            };
            store.complete(run, &outcomes);
        }
        store.table("users").put(&n.to_be_bytes(), &[7; 200]).await.unwrap();
        if n % 4 == 0 {
            store.table("users").delete(&(n / 2).to_be_bytes()).await.unwrap();
        }
    }
    store.flush().await.unwrap();
    store.close();
    drop(store);
    let store = Store::open(directory, settings(), ManualClock::default()).unwrap();
    for name in user_names() {
        content.mailboxes.insert(name.clone(), mailbox(&store, &name).await.unwrap());
    }
    let page = store.dead_letters(None, 1_000).await.unwrap();
    content.dead = page.letters.iter().map(|letter| letter.id.number()).collect();
    content.table = store.table("users").list().unwrap();
    assert!(content.dead.len() > 3 && content.table.len() > 10, "{content:?}");
    // Notifications in flight when the process ends.
    store.expect_delivery(|user| soon(user.as_str()));
    for name in user_names().filter(|name| soon(name)) {
        let numbers = [commits.end * 10 - 2, commits.end * 10 - 1];
        store.accept(numbers.map(|n| deduplicated(&name, n)).to_vec()).await.unwrap();
        for rows in [&mut content.accepted, &mut content.mailboxes] {
            rows.entry(name.clone()).or_default().extend(numbers);
        }
    }
    store.close();
}

/// Returns true for users to whom notifications are expected to be delivered at once: some of each kind.
fn soon(name: &str) -> bool {
    ["user-0", "user-1", "user-2", "user-3"].contains(&name)
}

/// Puts a lease's notifications into the mailbox.
async fn hold(store: &TestStore, run: &tidings_store::Lease<ManualClock>) {
    let rows = run.entries().iter().filter_map(|entry| match entry {
        dispatcher::core::run::Entry::Notification { item, .. } => Some(dispatcher::ports::MailboxRow {
            sequence: item.sequence,
            notification: std::sync::Arc::clone(&item.body),
            pushed_to: dispatcher::core::ConnectionSet::new(),
        }),
        dispatcher::core::run::Entry::Replay(_) => None,
    });
    store.put(run.user(), rows.collect()).await.unwrap();
}

/// Seals a journal as the engine does: the next one begins empty.
fn rotate(engine: &Path, number: u64) {
    std::fs::File::create_new(engine.join(format!("{}.jnl", number + 1))).unwrap();
}

/// Splits a journal into several, as if it had been sealed between two commits now and then.
fn split(engine: &Path, number: u64, parts: usize) {
    let path = engine.join(format!("{number}.jnl"));
    let bytes = content(&path);
    let is_end = |at: &usize| bytes[..*at].ends_with(TRAILER) && bytes.get(*at).is_none_or(|next| *next == 1);
    let ends: Vec<usize> = (TRAILER.len()..=bytes.len()).filter(is_end).collect();
    assert!(ends.len() > 10 * parts && ends.last() == Some(&bytes.len()), "{ends:?}");
    let mut from = 0;
    for part in 0..parts {
        let to = ends[(ends.len() - 1) * (part + 1) / parts];
        let path = engine.join(format!("{}.jnl", number + part as u64));
        std::fs::write(path, &bytes[from..to]).unwrap();
        from = to;
    }
}

/// Returns a file without the zeros for which it was allocated ahead.
pub(crate) fn content(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "jnl") {
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1));
    }
    bytes
}

pub(crate) fn walk(directory: &Path, below: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            walk(directory, &path, paths);
        } else {
            paths.push(path);
        }
    }
}

/// Returns the files below a directory, except locks, with their contents.
pub(crate) fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut paths = Vec::new();
    walk(directory, Path::new(""), &mut paths);
    paths.retain(|path| !path.ends_with("lock"));
    paths.into_iter().map(|path| (path.clone(), std::fs::read(directory.join(&path)).unwrap())).collect()
}

/// Copies a store.
pub(crate) fn copy(from: &Path, to: &Path) {
    let mut paths = Vec::new();
    walk(from, Path::new(""), &mut paths);
    for path in paths {
        let target = to.join(&path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, content(&from.join(path))).unwrap();
    }
}
