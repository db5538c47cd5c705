//! All receivers of a measurement, on one thread.
//!
//! Each open connection is a local task. The tasks share one [`Tally`]; dropping [`Sockets`] closes the
//! connections.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use hdrhistogram::Histogram;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep};

use crate::notification::{RunId, Scanner};
use crate::protocol::{ArrivalCounter, Protocol};
use crate::socket::{Handshake, Socket};
use crate::tally::{ReceivedNumbers, Tally};

/// Default number of concurrent handshakes.
const HANDSHAKES: usize = 64;
/// Interval at which [`Sockets::wait_for`] looks for new arrivals.
const POLL: Duration = Duration::from_millis(5);

/// A receiver to connect.
pub struct Receiver {
    /// Parameters of its connection.
    pub handshake: Handshake,
    /// The protocol it speaks.
    pub protocol: Box<dyn Protocol>,
    /// Notifications it has, from this connection and from earlier ones.
    pub received: Rc<RefCell<ReceivedNumbers>>,
    /// Arrivals at all receivers after which it drops its connection without a close frame.
    pub leave_after: Option<u64>,
}

impl Receiver {
    /// Creates a receiver that has no notifications yet and stays connected.
    pub fn new(handshake: Handshake, protocol: impl Protocol + 'static) -> Self {
        Self { handshake, protocol: Box::new(protocol), received: Rc::default(), leave_after: None }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("handshake", &self.handshake).finish_non_exhaustive()
    }
}

/// Open connections that count the notifications they receive.
#[derive(Debug)]
pub struct Sockets {
    /// Counts over all connections.
    pub tally: Rc<RefCell<Tally>>,
    /// Largest number of concurrent handshakes.
    pub concurrent_handshakes: usize,
    tasks: Vec<JoinHandle<()>>,
    /// Connections that are open and never read.
    unread: Vec<Socket>,
    scanner: Rc<Scanner>,
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Sockets {
    /// Creates an empty set for the notifications of one run.
    pub fn new(run: &RunId) -> Self {
        Self::with_tally(run, Tally::new())
    }

    /// Creates an empty set that counts in `tally`.
    pub fn with_tally(run: &RunId, tally: Rc<RefCell<Tally>>) -> Self {
        let scanner = Rc::new(Scanner::new(run));
        Self { tally, concurrent_handshakes: HANDSHAKES, tasks: Vec::new(), unread: Vec::new(), scanner }
    }

    /// Connects all receivers and returns the time that took.
    ///
    /// Records the time of each handshake in `times`, in microseconds.
    ///
    /// # Errors
    /// A connection is refused. Connections opened before stay open.
    pub async fn open(
        &mut self,
        receivers: Vec<Receiver>,
        times: &mut Histogram<u64>,
    ) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let (scanner, tally) = (Rc::clone(&self.scanner), Rc::clone(&self.tally));
        let (scanner, tally) = (&scanner, &tally);
        let mut handshakes = stream::iter(receivers)
            .map(|receiver| async move {
                let began = Instant::now();
                let arrivals = ArrivalCounter::new(Rc::clone(scanner), Rc::clone(tally), receiver.received);
                let socket = Socket::open(&receiver.handshake, receiver.protocol, arrivals).await?;
                anyhow::Ok((socket, receiver.leave_after, began.elapsed()))
            })
            .buffer_unordered(self.concurrent_handshakes);
        while let Some(opened) = handshakes.next().await {
            let (socket, leave_after, took) = opened?;
            times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
            let (limit, tally) = (leave_after.unwrap_or(u64::MAX), Rc::clone(tally));
            self.tasks.push(spawn_local(socket.run(move || tally.borrow().received >= limit)));
        }
        Ok(began.elapsed())
    }

    /// Connects a receiver that never reads.
    ///
    /// # Errors
    /// The connection is refused.
    pub async fn open_unread(&mut self, receiver: Receiver) -> anyhow::Result<()> {
        let arrivals = ArrivalCounter::new(Rc::clone(&self.scanner), Tally::new(), receiver.received);
        self.unread.push(Socket::open(&receiver.handshake, receiver.protocol, arrivals).await?);
        Ok(())
    }

    /// Waits until `expected` notifications have arrived, or none has arrived for `quiet`.
    pub async fn wait_for(&self, expected: u64, quiet: Duration) {
        let mut last = (self.tally.borrow().received, Instant::now());
        while last.0 < expected && last.1.elapsed() < quiet {
            sleep(POLL).await;
            let received = self.tally.borrow().received;
            if received != last.0 {
                last = (received, Instant::now());
            }
        }
    }
}
