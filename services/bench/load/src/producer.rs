//! Threads that send notifications at a rate, or as fast as the server accepts them.
//!
//! Each user belongs to one thread, so the order of a user's notifications is known. With a rate, the n-th
//! notification has an intended send time whatever the server does: a slow server makes later notifications
//! late, and their latency shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::clock::nanos;
use crate::latency::histogram;

/// Time that a thread sleeps while the window is full.
const WINDOW_WAIT: Duration = Duration::from_micros(100);

/// Amount and rate of the notifications to send.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Users, dealt out to the threads.
    pub users: u32,
    /// Threads that send. There are never more than users.
    pub producers: u32,
    /// Largest number of notifications sent at once.
    pub batch: u32,
    /// Notifications to each user. Without it, `duration` ends the sending.
    pub messages: Option<u32>,
    /// Time after which sending ends. Without it, `messages` does.
    pub duration: Option<Duration>,
    /// Notifications a second over all threads. Without it, as many as the server accepts.
    pub rate: Option<f64>,
    /// Number of each user's first notification.
    pub first_number: u32,
    /// Limit of notifications in flight.
    pub window: Option<Arc<Window>>,
}

impl Workload {
    /// Creates a workload of `messages` to each user, as fast as the server accepts them.
    ///
    /// `producers` is the number of threads, and `batch` the largest number of notifications sent at once.
    pub const fn new(users: u32, messages: u32, (producers, batch): (u32, u32)) -> Self {
        Self {
            users,
            producers,
            batch,
            messages: Some(messages),
            duration: None,
            rate: None,
            first_number: 0,
            window: None,
        }
    }
}

/// A limit of notifications that are sent and have not arrived, shared by all threads.
#[derive(Debug)]
pub struct Window {
    sent: AtomicU64,
    /// Count of arrivals, stored by the receivers' thread.
    pub arrivals: Arc<AtomicU64>,
    limit: u64,
    /// Arrivals of each notification.
    copies: u64,
}

impl Window {
    /// Creates a window for notifications that arrive once.
    pub fn new(limit: u64) -> Arc<Self> {
        Self::with_copies(limit, 1)
    }

    /// Creates a window for notifications that each arrive `copies` times, such as on several devices.
    pub fn with_copies(limit: u64, copies: u64) -> Arc<Self> {
        let copies = copies.max(1);
        Arc::new(Self { sent: AtomicU64::new(0), arrivals: Arc::default(), limit, copies })
    }

    /// Returns true if no more may be sent now.
    pub fn is_full(&self) -> bool {
        let arrived = self.arrivals.load(Ordering::Relaxed) / self.copies;
        self.sent.load(Ordering::Relaxed).saturating_sub(arrived) >= self.limit
    }

    /// Counts `count` notifications as sent.
    pub fn add_sent(&self, count: u64) {
        self.sent.fetch_add(count, Ordering::Relaxed);
    }
}

/// A producer's connection to a server.
pub trait Sink: Send {
    /// Adds a notification to the next batch.
    ///
    /// `user` is an index into the users of this sink, `time` the intended send time by the generator's
    /// clock, and `number` the notification's number.
    fn write(&mut self, user: usize, time: u64, number: u32);

    /// Sends the batch. Returns false if the server refused it for now.
    ///
    /// A sink that pipelines may return true before the server has answered.
    ///
    /// # Errors
    /// The connection breaks, or the server refuses notifications for good.
    fn flush(&mut self) -> anyhow::Result<bool>;

    /// Waits until the server has accepted all notifications that were sent.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// Result of a workload.
#[derive(Debug)]
pub struct SendReport {
    /// Notifications that the server accepted.
    pub accepted: u64,
    /// Accepted notifications of each user.
    pub per_user: Vec<u32>,
    /// Notifications that the server refused for now. They were not sent again.
    pub failed: u64,
    /// Time until the server had accepted all, of the slowest thread.
    pub took: Duration,
    /// Time of each flush, in microseconds.
    pub requests: Histogram<u64>,
    /// Time from intended to actual sending, in microseconds.
    pub lateness: Histogram<u64>,
}

impl SendReport {
    /// Returns the number of notifications that should arrive if `connections` are dealt out to users in turn.
    pub fn deliveries(&self, connections: u32) -> u64 {
        self.per_user.iter().cycle().take(connections as usize).map(|count| u64::from(*count)).sum()
    }

    fn empty(users: u32) -> Self {
        Self {
            accepted: 0,
            per_user: vec![0; users as usize],
            failed: 0,
            took: Duration::ZERO,
            requests: histogram(),
            lateness: histogram(),
        }
    }

    fn add(&mut self, one: &Self) -> anyhow::Result<()> {
        self.accepted += one.accepted;
        self.failed += one.failed;
        self.took = self.took.max(one.took);
        self.per_user.iter_mut().zip(&one.per_user).for_each(|(all, one)| *all += one);
        self.requests.add(&one.requests)?;
        self.lateness.add(&one.lateness)?;
        Ok(())
    }
}

/// Sends a workload from its threads and waits for the slowest. Blocks.
///
/// `connect` opens a sink for the users of a thread.
///
/// # Errors
/// A sink fails. The other threads finish first.
pub fn send<S: Sink>(
    workload: &Workload,
    connect: impl Fn(&[u32]) -> anyhow::Result<S>,
) -> anyhow::Result<SendReport> {
    let producers = workload.producers.clamp(1, workload.users);
    let shares: Vec<Vec<u32>> =
        (0..producers).map(|index| (index..workload.users).step_by(producers as usize).collect()).collect();
    // All are connected before the first sends.
    let connected = shares.iter().map(|users| connect(users));
    let sinks = connected.collect::<anyhow::Result<Vec<S>>>()?;
    thread::scope(|scope| {
        let began = Instant::now() + Duration::from_millis(20);
        let threads: Vec<_> = (0..producers)
            .zip(shares.into_iter().zip(sinks))
            .map(|(index, (users, sink))| {
                scope.spawn(move || Producer::new(workload, sink, users, (index, producers), began).run())
            })
            .collect();
        let mut all = SendReport::empty(workload.users);
        for thread in threads {
            all.add(&thread.join().map_err(|_| anyhow::anyhow!("a producer thread panicked"))??)?;
        }
        Ok(all)
    })
}

/// Does the same as [`send`] without blocking the caller's thread.
///
/// # Errors
/// As [`send`].
pub async fn send_async<S: Sink>(
    workload: Workload,
    connect: impl Fn(&[u32]) -> anyhow::Result<S> + Send + 'static,
) -> anyhow::Result<SendReport> {
    tokio::task::spawn_blocking(move || send(&workload, connect)).await?
}

/// One thread's sending.
struct Producer<'a, S> {
    workload: &'a Workload,
    sink: S,
    users: Vec<u32>,
    began: Instant,
    /// Time between notifications, if there is a rate.
    interval: Option<Duration>,
    /// Notifications to send, unless time ends it.
    total: Option<u64>,
    report: SendReport,
    /// Next number of each user.
    numbers: Vec<u32>,
    /// Indexes of the users in the next batch.
    batch: Vec<usize>,
}

impl<'a, S: Sink> Producer<'a, S> {
    fn new(
        workload: &'a Workload,
        sink: S,
        users: Vec<u32>,
        (index, producers): (u32, u32),
        began: Instant,
    ) -> Self {
        // Each thread has its users' share of the rate, and starts at its own offset within the interval.
        let share = users.len() as f64 / f64::from(workload.users);
        let interval = workload.rate.map(|rate| Duration::from_secs_f64(1.0 / (rate * share)));
        let offset = interval.unwrap_or_default().mul_f64(f64::from(index) / f64::from(producers));
        Self {
            sink,
            began: began + offset,
            interval,
            total: workload.messages.map(|messages| users.len() as u64 * u64::from(messages)),
            report: SendReport::empty(workload.users),
            numbers: vec![workload.first_number; users.len()],
            batch: Vec::with_capacity(workload.batch as usize),
            users,
            workload,
        }
    }

    fn run(mut self) -> anyhow::Result<SendReport> {
        set_precise_timers();
        sleep_until(self.began);
        let end = self.workload.duration.map(|duration| self.began + duration);
        let mut done = 0_u64;
        loop {
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) || self.total.is_some_and(|total| done >= total) {
                break;
            }
            if self.workload.window.as_ref().is_some_and(|window| window.is_full()) {
                thread::sleep(WINDOW_WAIT);
                continue;
            }
            let left = self.total.map_or(u64::MAX, |total| total - done);
            self.batch.clear();
            while (self.batch.len() as u64) < left.min(u64::from(self.workload.batch.max(1))) {
                let position = done + self.batch.len() as u64;
                let intended = match self.interval {
                    None => now,
                    Some(interval) => self.began + interval.mul_f64(position as f64),
                };
                if intended > now {
                    if self.batch.is_empty() {
                        sleep_until(end.map_or(intended, |end| intended.min(end)));
                    }
                    break;
                }
                self.write(position, intended, now);
            }
            if !self.batch.is_empty() {
                self.flush()?;
                done += self.batch.len() as u64;
            }
        }
        self.sink.finish()?;
        self.report.took = self.began.elapsed();
        Ok(self.report)
    }

    fn write(&mut self, position: u64, intended: Instant, now: Instant) {
        // A remainder of the number of users fits.
        let index = usize::try_from(position % self.users.len() as u64).unwrap_or(0);
        self.sink.write(index, nanos(intended), self.numbers[index]);
        self.numbers[index] += 1;
        self.batch.push(index);
        self.report.lateness.saturating_record(micros(now - intended));
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let count = self.batch.len() as u64;
        if let Some(window) = &self.workload.window {
            window.add_sent(count);
        }
        let began = Instant::now();
        let accepted = self.sink.flush()?;
        self.report.requests.saturating_record(micros(began.elapsed()));
        if !accepted {
            self.report.failed += count;
            return Ok(());
        }
        self.report.accepted += count;
        for &index in &self.batch {
            self.report.per_user[self.users[index] as usize] += 1;
        }
        Ok(())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Makes the thread wake up on time: Linux rounds sleeps up by 50 µs by default.
fn set_precise_timers() {
    #[cfg(target_os = "linux")]
    {
        // A failure makes the lateness a little larger, and the lateness is reported.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    }
}

fn sleep_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps each notification as user and number.
    struct MemorySink<'a> {
        users: Vec<u32>,
        written: Vec<(u32, u32)>,
        all: &'a Mutex<Vec<(u32, u32)>>,
    }

    impl<'a> MemorySink<'a> {
        fn new(users: &[u32], all: &'a Mutex<Vec<(u32, u32)>>) -> Self {
            Self { users: users.to_vec(), written: Vec::new(), all }
        }
    }

    impl Sink for MemorySink<'_> {
        fn write(&mut self, user: usize, _time: u64, number: u32) {
            self.written.push((self.users[user], number));
        }
        fn flush(&mut self) -> anyhow::Result<bool> {
            Ok(true)
        }
        fn finish(&mut self) -> anyhow::Result<()> {
            self.all.lock().unwrap().append(&mut self.written);
            Ok(())
        }
    }

    fn workload() -> Workload {
        Workload { first_number: 7, ..Workload::new(5, 4, (2, 3)) }
    }

    #[test]
    fn each_user_gets_its_numbers_in_order() {
        let kept = Mutex::new(Vec::new());
        let sent = send(&workload(), |users| Ok(MemorySink::new(users, &kept))).unwrap();
        assert_eq!((sent.accepted, sent.per_user.as_slice(), sent.failed), (20, &[4; 5][..], 0));
        assert_eq!((sent.deliveries(5), sent.deliveries(7), sent.deliveries(2)), (20, 28, 8));
        let kept = kept.into_inner().unwrap();
        for user in 0..5 {
            let numbers: Vec<_> = kept.iter().filter(|(to, _)| *to == user).map(|(_, n)| *n).collect();
            assert_eq!(numbers, [7, 8, 9, 10]);
        }
    }

    #[test]
    fn full_window_stops_sending() {
        let kept = Mutex::new(Vec::new());
        let window = Window::new(4);
        let workload = Workload {
            producers: 1,
            batch: 2,
            messages: None,
            duration: Some(Duration::from_millis(50)),
            window: Some(Arc::clone(&window)),
            ..workload()
        };
        let sent = send(&workload, |users| Ok(MemorySink::new(users, &kept))).unwrap();
        assert_eq!(sent.accepted, 4);
        assert!(window.is_full());
    }

    #[test]
    fn window_opens_after_all_copies_arrive() {
        let window = Window::with_copies(2, 3);
        window.add_sent(2);
        for (arrived, full) in [(0, true), (2, true), (3, false)] {
            window.arrivals.store(arrived, Ordering::Relaxed);
            assert_eq!(window.is_full(), full, "{arrived}");
        }
    }
}
