use contract_history_v1::HistoryOutcome;
use contract_identity_v1::AuthenticationMethod;
use contract_notifications_v1::Sequence;
use dispatcher::ports::History as _;
use tempfile::TempDir;
use tidings_store::StorageSettings;
use verification_conformance::{ManualClock, connection, notification, user};
use ws_edge::ports::History as _;

use super::*;

const HOUR: Duration = Duration::from_hours(1);
const POLICY: HistoryPolicy = HistoryPolicy { lifetime: HOUR, payloads: true };

struct World {
    history: StoredHistory<ManualClock>,
    writer: Option<Writer<ManualClock>>,
    clock: ManualClock,
    _store: Store<ManualClock>,
    _dir: TempDir,
}

fn world() -> World {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let settings = StorageSettings { reserve_bytes: 0, ..StorageSettings::default() };
    let store = Store::open(dir.path(), settings, clock.clone()).unwrap();
    let (history, writer) = StoredHistory::new(&store, POLICY, Allowance::new(10, HOUR).ok(), clock.clone());
    World { history, writer: Some(writer), clock, _store: store, _dir: dir }
}

impl World {
    fn row(&self, n: u64) -> MessageRow {
        let notification = notification(&user("a"), n);
        MessageRow::new(&notification, Sequence::new(n.into()), HistoryOutcome::Held, self.clock.now(), HOUR)
    }

    fn start(&mut self) {
        tokio::spawn(self.writer.take().unwrap().run(std::future::pending()));
    }

    /// Reads the first page.
    async fn sequences(&self) -> Vec<u128> {
        self.page(None).await.rows.iter().map(|row| row.sequence.number()).collect()
    }

    async fn page(&self, before: Option<MessageKey>) -> HistoryPage<MessageRow> {
        self.history.messages(&user("a"), &PageRequest { before, limit: 100 }).await.unwrap()
    }

    fn stored(&self) -> usize {
        self.history.table.list().unwrap().len()
    }
}

#[tokio::test]
async fn expired_rows_are_hidden_then_deleted() {
    let mut world = world();
    world.start();
    world.history.record(&user("a"), vec![world.row(1), world.row(2)]).await;
    world.clock.advance(HOUR / 2);
    world.history.record(&user("a"), vec![world.row(3)]).await;
    assert_eq!(world.sequences().await, [3, 2, 1]);
    assert_eq!((world.stored(), world.history.sweep().await.unwrap()), (6, 0));
    world.clock.advance(HOUR / 2);
    assert_eq!(world.sequences().await, [3]);
    assert_eq!(world.history.sweep().await.unwrap(), 2);
    assert_eq!((world.stored(), world.sequences().await), (2, vec![3]));
    assert_eq!(world.history.sweep().await.unwrap(), 0);
    world.clock.advance(HOUR);
    assert_eq!(world.history.sweep().await.unwrap(), 1);
    assert_eq!(world.stored(), 0);
}

#[tokio::test]
async fn sweeper_deletes_all_expired_rows() {
    let mut world = world();
    world.start();
    world.history.record(&user("a"), (0..1_200).map(|n| world.row(n)).collect()).await;
    assert_eq!(world.sequences().await.len(), 100);
    world.clock.advance(HOUR);
    let (stop, stopped) = oneshot::channel::<()>();
    let sweeper = tokio::spawn(run_sweeper(world.history.clone(), async { _ = stopped.await }));
    while world.stored() > 0 {
        world.clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    drop(stop);
    sweeper.await.unwrap();
}

#[tokio::test]
async fn end_of_session_does_not_restore_an_expired_row() {
    let mut world = world();
    world.start();
    let (a, opened) = (user("a"), world.clock.now());
    let row = SessionRow::opened(a.clone(), connection("c"), opened, AuthenticationMethod::Token, HOUR);
    world.history.session_opened(&row).await.unwrap();
    world.history.flush().await;
    world.clock.advance(HOUR);
    assert_eq!(world.history.sweep().await.unwrap(), 1);
    world.history.session_closed(&a, opened, &connection("c"), world.clock.now()).await.unwrap();
    world.history.flush().await;
    assert_eq!(world.stored(), 0);
}

#[tokio::test]
async fn client_has_a_share_of_the_payloads() {
    let mut world = world();
    world.start();
    let row = |n, source: Option<&str>| MessageRow {
        source: source.map(Into::into),
        payload: Some("x".repeat(4)),
        ..world.row(n)
    };
    let sources = [Some("user/mallory"), Some("user/mallory"), Some("user/mallory"), Some("user/bob"), None];
    let rows = sources.into_iter().zip(1..).map(|(source, n)| row(n, source)).collect();
    world.history.record(&user("a"), rows).await;
    let kept = |page: HistoryPage<MessageRow>| -> Vec<_> {
        page.rows.into_iter().rev().map(|row| row.payload.is_some()).collect()
    };
    assert_eq!(kept(world.page(None).await), [true, true, false, true, true]);
    // The share fills again.
    world.clock.advance(HOUR / 2);
    world.history.record(&user("a"), vec![row(6, Some("user/mallory"))]).await;
    assert!(world.page(None).await.rows[0].payload.is_some());
}

#[tokio::test]
async fn full_queue_loses_entries_without_waiting() {
    let mut world = world();
    let large = |n| {
        let mut row = world.row(n);
        row.payload = Some("x".repeat(QUEUE_BYTES / 4));
        row
    };
    let rows: Vec<_> = (1..=5).map(large).collect();
    for row in rows {
        world.history.record(&user("a"), vec![row]).await;
    }
    // A small entry still fits.
    world.history.record(&user("a"), vec![world.row(6)]).await;
    world.start();
    let (mut kept, mut before) = (Vec::new(), None);
    loop {
        let page = world.page(before).await;
        kept.push(page.rows.iter().map(|row| row.sequence.number()).collect::<Vec<_>>());
        before = page.rows.last().map(|row| row.entry);
        if !page.more {
            break;
        }
    }
    // A large row fills its page.
    assert_eq!(kept, [vec![6, 3], vec![2], vec![1]]);
    assert_eq!(world.history.queued_bytes.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn shutdown_writes_the_queue() {
    let mut world = world();
    world.history.record(&user("a"), (0..1_000).map(|n| world.row(n)).collect()).await;
    for n in 1_000..2_000 {
        world.history.record(&user("a"), vec![world.row(n)]).await;
    }
    world.writer.take().unwrap().run(std::future::ready(())).await;
    assert_eq!(world.stored(), 4_000);
    // Without a writer, readers don't wait for it.
    assert_eq!(world.sequences().await.len(), 100);
}

#[tokio::test]
async fn malformed_row_hides_no_other() {
    let mut world = world();
    world.start();
    for n in 1..=5 {
        world.history.record(&user("a"), vec![world.row(n)]).await;
    }
    world.history.flush().await;
    for n in 2..=4 {
        let key = rows::row_key(&user("a"), &world.row(n).entry.to_string());
        world.history.table.put(&key, b"{").await.unwrap();
    }
    let page = PageRequest { before: None, limit: 1 };
    let first = world.history.messages(&user("a"), &page).await.unwrap();
    assert!(first.more);
    let page = PageRequest { before: Some(first.rows[0].entry), limit: 1 };
    let second = world.history.messages(&user("a"), &page).await.unwrap();
    assert_eq!((second.rows[0].sequence.number(), second.more), (1, false));
}
