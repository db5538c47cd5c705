//! Group commit: one thread writes everything that is waiting in one commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::data::{Source, dedup, key};
use crate::store::{Engine, Result, Row};

/// Notifications taken into one commit before it is written.
const COMMIT_CAP: usize = 4096;

/// Notifications of one producer, and where to answer.
struct Request {
    rows: Vec<(u64, Vec<u8>)>,
    done: SyncSender<()>,
}

/// What a run of producers achieved.
pub struct Outcome {
    /// Notifications answered.
    pub accepted: u64,
    /// Commits they took.
    pub commits: u64,
    /// Time from first to last.
    pub elapsed: Duration,
    /// Time each request waited, sorted.
    pub waits: Vec<Duration>,
}

impl Outcome {
    /// The wait that `share` of the requests did not exceed, in milliseconds.
    pub fn wait_ms(&self, share: f64) -> f64 {
        let at = (self.waits.len() as f64 * share) as usize;
        let wait = self.waits.get(at.min(self.waits.len().saturating_sub(1)));
        wait.map_or(0.0, |w| w.as_secs_f64() * 1000.0)
    }
}

/// Takes requests until all senders are gone; numbers, commits and answers.
fn committer(engine: &dyn Engine, requests: &Receiver<Request>) -> Result<(u64, u64)> {
    let (mut sequence, mut commits) = (0, 0);
    while let Ok(first) = requests.recv() {
        let mut rows: Vec<Row> = Vec::with_capacity(COMMIT_CAP);
        let mut waiting = Vec::new();
        let mut next = Some(first);
        while let Some(request) = next {
            for (user, value) in request.rows {
                rows.push((key(user, sequence), value));
                sequence += 1;
            }
            waiting.push(request.done);
            next = match rows.len() < COMMIT_CAP {
                true => requests.try_recv().ok(),
                false => None,
            };
        }
        let mark = dedup(commits, rows.len());
        engine.commit(rows, mark)?;
        commits += 1;
        for done in waiting {
            // A producer that stopped waiting is no reason to stop.
            let _ = done.send(());
        }
    }
    Ok((sequence, commits))
}

/// Submits `bulk` notifications at a time and waits for each answer.
fn producer(
    mut source: Source,
    bulk: usize,
    requests: &SyncSender<Request>,
    stop: &AtomicBool,
) -> Vec<Duration> {
    let (done, answers) = sync_channel(1);
    let mut waits = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let rows = (0..bulk).map(|_| source.next()).collect();
        let start = Instant::now();
        let done = done.clone();
        if requests.send(Request { rows, done }).is_err() || answers.recv().is_err() {
            break;
        }
        waits.push(start.elapsed());
    }
    waits
}

/// Runs `producers` against one committer for `time`.
pub fn run(
    engine: &dyn Engine,
    producers: u64,
    bulk: usize,
    users: u64,
    time: Duration,
) -> Result<Outcome> {
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(4096);
        // The receiver lives in the committer's thread: if a commit fails,
        // producers see a closed channel instead of waiting for ever.
        let writer = scope.spawn(move || committer(engine, &receiver));
        let threads: Vec<_> = (0..producers)
            .map(|n| {
                let (sender, stop) = (sender.clone(), &stop);
                let source = Source::new(n + 1, users);
                scope.spawn(move || producer(source, bulk, &sender, stop))
            })
            .collect();
        drop(sender);
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let joined = threads.into_iter().map(|t| t.join());
        let mut waits: Vec<Duration> = joined
            .flat_map(|w| w.expect("producer does not panic"))
            .collect();
        let (accepted, commits) = writer.join().expect("committer does not panic")?;
        waits.sort_unstable();
        Ok(Outcome {
            accepted,
            commits,
            elapsed: start.elapsed(),
            waits,
        })
    })
}
