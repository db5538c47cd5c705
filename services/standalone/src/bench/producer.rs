//! Threads that send.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;

use super::http::{Poster, last_number};
use super::message::{Run, Template, nanos};
use super::tally::histogram;
use super::{Load, Target};

/// What the threads did.
pub(super) struct Sent {
    /// Notifications the server accepted.
    pub(super) accepted: u64,
    /// Accepted ones of each user.
    pub(super) per_user: Vec<u32>,
    /// Notifications it refused or did not answer for.
    pub(super) failed: u64,
    /// How long it took, of the slowest thread.
    pub(super) took: Duration,
    /// Time of requests, microseconds.
    pub(super) requests: Histogram<u64>,
    /// How late notifications were put into requests, microseconds.
    pub(super) lateness: Histogram<u64>,
}

impl Sent {
    /// Notifications that should arrive on the connections.
    pub(super) fn deliveries(&self, load: &Load) -> u64 {
        let connections = (0..load.connections).map(|connection| connection % load.users);
        connections.map(|user| u64::from(self.per_user[user as usize])).sum()
    }
}

/// Sends from all threads; each user belongs to one of them, so that the order of sending is known.
pub(super) async fn send(target: &Target, run: &Run, load: &Load) -> anyhow::Result<Sent> {
    let (target, run, load) = (target.clone(), run.clone(), load.clone());
    tokio::task::spawn_blocking(move || {
        thread::scope(|scope| {
            let producers = load.producers.clamp(1, load.users);
            let began = Instant::now() + Duration::from_millis(20);
            let threads: Vec<_> = (0..producers)
                .map(|index| {
                    let (target, run, load) = (&target, &run, &load);
                    scope.spawn(move || Producer::new(target, run, load, index, producers, began)?.run())
                })
                .collect();
            let mut all = empty(load.users);
            for thread in threads {
                let one = thread.join().map_err(|_| anyhow::anyhow!("a producer died"))??;
                all.accepted += one.accepted;
                all.failed += one.failed;
                all.took = all.took.max(one.took);
                all.per_user.iter_mut().zip(&one.per_user).for_each(|(all, one)| *all += one);
                all.requests.add(&one.requests)?;
                all.lateness.add(&one.lateness)?;
            }
            Ok(all)
        })
    })
    .await?
}

fn empty(users: u32) -> Sent {
    Sent {
        accepted: 0,
        per_user: vec![0; users as usize],
        failed: 0,
        took: Duration::ZERO,
        requests: histogram(),
        lateness: histogram(),
    }
}

struct Producer<'a> {
    load: &'a Load,
    poster: Poster,
    /// Users and their lines.
    users: Vec<(u32, Template)>,
    began: Instant,
    /// Time between notifications; none when there is no rate to keep.
    interval: Option<Duration>,
    /// How many to send; none when time ends it.
    total: Option<u64>,
    sent: Sent,
    /// Numbers given, per user.
    numbers: Vec<u32>,
}

impl<'a> Producer<'a> {
    fn new(
        target: &Target,
        run: &Run,
        load: &'a Load,
        index: u32,
        producers: u32,
        began: Instant,
    ) -> anyhow::Result<Self> {
        // An answer for each notification would cost the generator more than it tells.
        let (path, kind) = if load.batch <= 1 {
            ("/v1/notifications", "application/json")
        } else {
            ("/v1/notifications?ack=summary", "application/x-ndjson")
        };
        let users: Vec<_> = (index..load.users)
            .step_by(producers as usize)
            .map(|user| (user, Template::new(run, user, load.payload_bytes, load.ids)))
            .collect();
        // Each thread has its users' share of the rate, and its own place within the interval.
        let share = users.len() as f64 / f64::from(load.users);
        let interval = load.rate.map(|rate| Duration::from_secs_f64(1.0 / (rate * share)));
        let offset = interval.unwrap_or_default().mul_f64(f64::from(index) / f64::from(producers));
        Ok(Self {
            load,
            poster: Poster::connect(target, path, kind)?,
            total: load.duration.is_none().then(|| users.len() as u64 * u64::from(load.messages)),
            sent: empty(load.users),
            numbers: vec![0; users.len()],
            users,
            began: began + offset,
            interval,
        })
    }

    fn run(mut self) -> anyhow::Result<Sent> {
        precise_timers();
        sleep_until(self.began);
        let end = self.load.duration.map(|duration| self.began + duration);
        let mut body = Vec::with_capacity(self.load.batch as usize * self.users[0].1.len());
        let mut chosen = Vec::with_capacity(self.load.batch as usize);
        let mut done = 0_u64;
        loop {
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) || self.total.is_some_and(|total| done >= total) {
                break;
            }
            let left = self.total.map_or(u64::MAX, |total| total - done);
            body.clear();
            chosen.clear();
            while (chosen.len() as u64) < left.min(u64::from(self.load.batch.max(1))) {
                let place = done + chosen.len() as u64;
                let intended = match self.interval {
                    None => now,
                    Some(interval) => self.began + interval.mul_f64(place as f64),
                };
                if intended > now {
                    if chosen.is_empty() {
                        sleep_until(intended);
                    }
                    break;
                }
                self.write(place, intended, now, &mut body, &mut chosen);
            }
            if !chosen.is_empty() {
                self.post(&body, &chosen)?;
                done += chosen.len() as u64;
            }
        }
        self.sent.took = self.began.elapsed();
        Ok(self.sent)
    }

    fn write(
        &mut self,
        place: u64,
        intended: Instant,
        now: Instant,
        body: &mut Vec<u8>,
        chosen: &mut Vec<usize>,
    ) {
        // A remainder of the number of users fits.
        let index = usize::try_from(place % self.users.len() as u64).unwrap_or(0);
        let (_, template) = &self.users[index];
        template.write(nanos(intended), self.numbers[index], body);
        self.numbers[index] += 1;
        chosen.push(index);
        let late = u64::try_from((now - intended).as_micros()).unwrap_or(u64::MAX);
        self.sent.lateness.saturating_record(late.max(1));
    }

    fn post(&mut self, body: &[u8], chosen: &[usize]) -> anyhow::Result<()> {
        let began = Instant::now();
        let (status, answer) = self.poster.post(body)?;
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.sent.requests.saturating_record(took.max(1));
        if status == 429 || status == 503 {
            self.sent.failed += chosen.len() as u64;
            return Ok(());
        }
        if !(200..300).contains(&status) {
            bail!("refused with status {status}: {}", String::from_utf8_lossy(answer));
        }
        if self.load.batch > 1 {
            let refused = last_number(answer, "refused").context("the answer counts no refusals")?;
            if refused > 0 {
                // Which ones can't be told without reading it all, and then nothing could be measured.
                bail!("{refused} of {} were refused", chosen.len());
            }
        }
        self.sent.accepted += chosen.len() as u64;
        for &index in chosen {
            self.sent.per_user[self.users[index].0 as usize] += 1;
        }
        Ok(())
    }
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
