//! All receivers of a measurement, on one thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use hdrhistogram::Histogram;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep};

use crate::message::{Run, Scanner};
use crate::protocol::{Arrivals, Protocol};
use crate::socket::{Handshake, Socket};
use crate::tally::{Seen, Tally, histogram};

/// Handshakes at a time, unless told.
const HANDSHAKES: usize = 64;

/// How one receiver gets in, and what it does then.
pub struct Door {
    /// How its connection is opened.
    pub handshake: Handshake,
    /// What it speaks.
    pub protocol: Box<dyn Protocol>,
    /// What it has seen, on this connection or on ones before.
    pub seen: Rc<RefCell<Seen>>,
    /// After how many notifications of all receivers it leaves without a word.
    pub leave_after: Option<u64>,
}

impl Door {
    /// A receiver that has seen nothing and stays.
    pub fn new(handshake: Handshake, protocol: impl Protocol + 'static) -> Self {
        Self { handshake, protocol: Box::new(protocol), seen: Rc::default(), leave_after: None }
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("handshake", &self.handshake).finish_non_exhaustive()
    }
}

/// Open connections that count what they get.
#[derive(Debug)]
pub struct Sockets {
    /// What they got.
    pub tally: Rc<RefCell<Tally>>,
    /// Handshakes at a time.
    pub at_once: usize,
    tasks: Vec<JoinHandle<()>>,
    /// Open, and never read.
    stuck: Vec<Socket>,
    scanner: Rc<Scanner>,
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Sockets {
    /// None yet, for notifications of one run.
    pub fn new(run: &Run) -> Self {
        Self::with_tally(run, Tally::new())
    }

    /// None yet; they count there.
    pub fn with_tally(run: &Run, tally: Rc<RefCell<Tally>>) -> Self {
        let scanner = Rc::new(Scanner::new(run));
        Self { tally, at_once: HANDSHAKES, tasks: Vec::new(), stuck: Vec::new(), scanner }
    }

    /// Opens one for each door, and gives the time that took; the time of each is recorded in microseconds.
    pub async fn open(&mut self, doors: Vec<Door>, times: &mut Histogram<u64>) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let (scanner, tally) = (Rc::clone(&self.scanner), Rc::clone(&self.tally));
        let (scanner, tally) = (&scanner, &tally);
        let mut handshakes = stream::iter(doors)
            .map(|door| async move {
                let began = Instant::now();
                let arrivals = Arrivals::new(Rc::clone(scanner), Rc::clone(tally), door.seen);
                let socket = Socket::open(&door.handshake, door.protocol, arrivals).await?;
                anyhow::Ok((socket, door.leave_after, began.elapsed()))
            })
            .buffer_unordered(self.at_once);
        while let Some(opened) = handshakes.next().await {
            let (socket, leave_after, took) = opened?;
            times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
            let (limit, tally) = (leave_after.unwrap_or(u64::MAX), Rc::clone(tally));
            self.tasks.push(spawn_local(socket.run(move || tally.borrow().received >= limit)));
        }
        Ok(began.elapsed())
    }

    /// Opens one that is never read.
    pub async fn open_stuck(&mut self, door: Door) -> anyhow::Result<()> {
        let arrivals = Arrivals::new(Rc::clone(&self.scanner), Tally::new(), door.seen);
        self.stuck.push(Socket::open(&door.handshake, door.protocol, arrivals).await?);
        Ok(())
    }

    /// Empty times for [`Sockets::open`].
    pub fn times() -> Histogram<u64> {
        histogram()
    }

    /// Waits until so many arrived, or no more come.
    pub async fn drain(&self, expected: u64, quiet: Duration) {
        let mut last = (self.tally.borrow().received, Instant::now());
        while last.0 < expected && last.1.elapsed() < quiet {
            sleep(Duration::from_millis(5)).await;
            let received = self.tally.borrow().received;
            if received != last.0 {
                last = (received, Instant::now());
            }
        }
    }
}
