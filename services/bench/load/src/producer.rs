//! Threads that send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::message::nanos;
use crate::tally::histogram;

/// How long a thread waits for room in the window at a time.
const WINDOW_WAIT: Duration = Duration::from_micros(100);

/// How much is sent, and when.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Users, dealt out to the threads.
    pub users: u32,
    /// Threads.
    pub producers: u32,
    /// Most notifications sent at once.
    pub batch: u32,
    /// Notifications to each user, unless time ends it before.
    pub messages: Option<u32>,
    /// How long to send, unless there is no more before.
    pub duration: Option<Duration>,
    /// Notifications a second in all; as many as possible when not said.
    pub rate: Option<f64>,
    /// The number of each user's first.
    pub first_number: u32,
    /// How many may be on their way.
    pub window: Option<Arc<Window>>,
}

/// How many notifications may be sent that have not arrived.
#[derive(Debug)]
pub struct Window {
    sent: AtomicU64,
    /// Counted by the receivers.
    pub arrivals: Arc<AtomicU64>,
    limit: u64,
    /// How often each arrives.
    copies: u64,
}

impl Window {
    /// So many.
    pub fn new(limit: u64) -> Arc<Self> {
        Self::of_copies(limit, 1)
    }

    /// So many, of which each arrives so often.
    pub fn of_copies(limit: u64, copies: u64) -> Arc<Self> {
        let copies = copies.max(1);
        Arc::new(Self { sent: AtomicU64::new(0), arrivals: Arc::default(), limit, copies })
    }

    /// Whether no more may be sent now.
    pub fn is_full(&self) -> bool {
        let arrived = self.arrivals.load(Ordering::Relaxed) / self.copies;
        self.sent.load(Ordering::Relaxed).saturating_sub(arrived) >= self.limit
    }

    /// Enters that so many were sent.
    pub fn sent(&self, count: u64) {
        self.sent.fetch_add(count, Ordering::Relaxed);
    }
}

/// A producer's connection to a server.
pub trait Sink: Send {
    /// Adds a notification to what is sent next: the user's place among those of this sink, when it is meant to
    /// be sent by the generator's clock, and its number.
    fn write(&mut self, user: usize, time: u64, number: u32);

    /// Sends what was added, and gives whether the server took it; that it did may come out later where
    /// notifications are pipelined.
    fn flush(&mut self) -> anyhow::Result<bool>;

    /// Waits until the server has accepted everything that was sent.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// What the threads did.
#[derive(Debug)]
pub struct Sent {
    /// Notifications the server accepted.
    pub accepted: u64,
    /// Accepted ones of each user.
    pub per_user: Vec<u32>,
    /// Notifications it refused for now.
    pub failed: u64,
    /// How long it took until all were accepted, of the slowest thread.
    pub took: Duration,
    /// Time of each flush, microseconds.
    pub requests: Histogram<u64>,
    /// How late notifications were sent, microseconds.
    pub lateness: Histogram<u64>,
}

impl Sent {
    /// Notifications that should arrive when connections are dealt out to users in turn.
    pub fn deliveries(&self, connections: u32) -> u64 {
        self.per_user.iter().cycle().take(connections as usize).map(|count| u64::from(*count)).sum()
    }

    fn nothing(users: u32) -> Self {
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

/// Sends from all threads; each user belongs to one of them, so that the order of sending is known. `connect`
/// gives a thread its sink for its users. Blocks.
pub fn send<S: Sink>(pace: &Pace, connect: impl Fn(&[u32]) -> anyhow::Result<S>) -> anyhow::Result<Sent> {
    let producers = pace.producers.clamp(1, pace.users);
    let shares: Vec<Vec<u32>> =
        (0..producers).map(|index| (index..pace.users).step_by(producers as usize).collect()).collect();
    // All are connected before the first sends.
    let connected = shares.iter().map(|users| connect(users));
    let sinks = connected.collect::<anyhow::Result<Vec<S>>>()?;
    thread::scope(|scope| {
        let began = Instant::now() + Duration::from_millis(20);
        let threads: Vec<_> = (0..producers)
            .zip(shares.into_iter().zip(sinks))
            .map(|(index, (users, sink))| {
                scope.spawn(move || Producer::new(pace, sink, users, (index, producers), began).run())
            })
            .collect();
        let mut all = Sent::nothing(pace.users);
        for thread in threads {
            all.add(&thread.join().map_err(|_| anyhow::anyhow!("a producer died"))??)?;
        }
        Ok(all)
    })
}

struct Producer<'a, S> {
    pace: &'a Pace,
    sink: S,
    users: Vec<u32>,
    began: Instant,
    /// Time between notifications; none when there is no rate to keep.
    interval: Option<Duration>,
    /// How many to send; none when time ends it.
    total: Option<u64>,
    sent: Sent,
    /// Numbers given, per user.
    numbers: Vec<u32>,
    /// The users of what is sent next, by their places.
    chosen: Vec<usize>,
}

impl<'a, S: Sink> Producer<'a, S> {
    fn new(pace: &'a Pace, sink: S, users: Vec<u32>, (index, producers): (u32, u32), began: Instant) -> Self {
        // Each thread has its users' share of the rate, and its own place within the interval.
        let share = users.len() as f64 / f64::from(pace.users);
        let interval = pace.rate.map(|rate| Duration::from_secs_f64(1.0 / (rate * share)));
        let offset = interval.unwrap_or_default().mul_f64(f64::from(index) / f64::from(producers));
        Self {
            sink,
            began: began + offset,
            interval,
            total: pace.messages.map(|messages| users.len() as u64 * u64::from(messages)),
            sent: Sent::nothing(pace.users),
            numbers: vec![pace.first_number; users.len()],
            chosen: Vec::with_capacity(pace.batch as usize),
            users,
            pace,
        }
    }

    fn run(mut self) -> anyhow::Result<Sent> {
        precise_timers();
        sleep_until(self.began);
        let end = self.pace.duration.map(|duration| self.began + duration);
        let mut done = 0_u64;
        loop {
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) || self.total.is_some_and(|total| done >= total) {
                break;
            }
            if self.pace.window.as_ref().is_some_and(|window| window.is_full()) {
                thread::sleep(WINDOW_WAIT);
                continue;
            }
            let left = self.total.map_or(u64::MAX, |total| total - done);
            self.chosen.clear();
            while (self.chosen.len() as u64) < left.min(u64::from(self.pace.batch.max(1))) {
                let place = done + self.chosen.len() as u64;
                let intended = match self.interval {
                    None => now,
                    Some(interval) => self.began + interval.mul_f64(place as f64),
                };
                if intended > now {
                    if self.chosen.is_empty() {
                        sleep_until(end.map_or(intended, |end| intended.min(end)));
                    }
                    break;
                }
                self.write(place, intended, now);
            }
            if !self.chosen.is_empty() {
                self.flush()?;
                done += self.chosen.len() as u64;
            }
        }
        self.sink.finish()?;
        self.sent.took = self.began.elapsed();
        Ok(self.sent)
    }

    fn write(&mut self, place: u64, intended: Instant, now: Instant) {
        // A remainder of the number of users fits.
        let index = usize::try_from(place % self.users.len() as u64).unwrap_or(0);
        self.sink.write(index, nanos(intended), self.numbers[index]);
        self.numbers[index] += 1;
        self.chosen.push(index);
        self.sent.lateness.saturating_record(micros(now - intended));
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let count = self.chosen.len() as u64;
        if let Some(window) = &self.pace.window {
            window.sent(count);
        }
        let began = Instant::now();
        let taken = self.sink.flush()?;
        self.sent.requests.saturating_record(micros(began.elapsed()));
        if !taken {
            self.sent.failed += count;
            return Ok(());
        }
        self.sent.accepted += count;
        for &index in &self.chosen {
            self.sent.per_user[self.users[index] as usize] += 1;
        }
        Ok(())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Lets the thread wake up when it means to: Linux rounds sleeps up by 50 µs unless asked not to.
fn precise_timers() {
    #[cfg(target_os = "linux")]
    {
        // Without it the measurement's lateness is a little larger, and is reported.
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

    /// Keeps what it is given, under the users' numbers.
    struct Kept<'a>(Vec<u32>, Vec<(u32, u32)>, &'a Mutex<Vec<(u32, u32)>>);

    impl Sink for Kept<'_> {
        fn write(&mut self, user: usize, _time: u64, number: u32) {
            self.1.push((self.0[user], number));
        }
        fn flush(&mut self) -> anyhow::Result<bool> {
            Ok(true)
        }
        fn finish(&mut self) -> anyhow::Result<()> {
            self.2.lock().unwrap().append(&mut self.1);
            Ok(())
        }
    }

    fn pace() -> Pace {
        Pace {
            users: 5,
            producers: 2,
            batch: 3,
            messages: Some(4),
            duration: None,
            rate: None,
            first_number: 7,
            window: None,
        }
    }

    #[test]
    fn every_user_is_sent_its_notifications_in_their_order() {
        let kept = Mutex::new(Vec::new());
        let sent = send(&pace(), |users| Ok(Kept(users.to_vec(), Vec::new(), &kept))).unwrap();
        assert_eq!((sent.accepted, sent.per_user.as_slice(), sent.failed), (20, &[4; 5][..], 0));
        assert_eq!((sent.deliveries(5), sent.deliveries(7), sent.deliveries(2)), (20, 28, 8));
        let kept = kept.into_inner().unwrap();
        for user in 0..5 {
            let numbers: Vec<_> = kept.iter().filter(|(to, _)| *to == user).map(|(_, n)| *n).collect();
            assert_eq!(numbers, [7, 8, 9, 10]);
        }
    }

    #[test]
    fn a_full_window_keeps_all_waiting() {
        let kept = Mutex::new(Vec::new());
        let window = Window::new(4);
        let pace = Pace {
            producers: 1,
            batch: 2,
            messages: None,
            duration: Some(Duration::from_millis(50)),
            window: Some(Arc::clone(&window)),
            ..pace()
        };
        let sent = send(&pace, |users| Ok(Kept(users.to_vec(), Vec::new(), &kept))).unwrap();
        assert_eq!(sent.accepted, 4);
        assert!(window.is_full());
    }

    #[test]
    fn what_arrives_several_times_makes_room_once() {
        let window = Window::of_copies(2, 3);
        window.sent(2);
        for (arrived, full) in [(0, true), (2, true), (3, false)] {
            window.arrivals.store(arrived, Ordering::Relaxed);
            assert_eq!(window.is_full(), full, "{arrived}");
        }
    }
}
