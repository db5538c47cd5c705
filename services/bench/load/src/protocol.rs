//! The receiving side of a push protocol, independent of its transport.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use tokio::time::Instant;

use crate::notification::{FoundNotification, Scanner};
use crate::tally::{ReceivedNumbers, Tally};

/// Type of the WebSocket frames that carry a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// Text frames.
    Text,
    /// Binary frames.
    Binary,
}

/// One receiver's side of a protocol.
///
/// Implementations do no I/O: they are given received bytes and append the bytes to send to `out`.
pub trait Protocol {
    /// Returns the type of its frames, for a connection over WebSocket.
    fn opcode(&self) -> Opcode;

    /// Appends the opening message, once the transport is open.
    fn open(&mut self, _out: &mut Vec<u8>) {}

    /// Returns true once the server has confirmed that it will push notifications.
    fn is_open(&self) -> bool {
        true
    }

    /// Reads the next bytes: a whole message over WebSocket, any part of the stream over TCP.
    ///
    /// Appends the answer to `out`. Breaks if the server ends or refuses the connection.
    fn feed(&mut self, bytes: &[u8], arrivals: &mut ArrivalCounter, out: &mut Vec<u8>) -> ControlFlow<()>;

    /// Returns the time of the next [`tick`](Self::tick), if one is due without input.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Appends the messages that are due.
    fn tick(&mut self, _out: &mut Vec<u8>) {}
}

/// Counts the notifications of one receiver.
#[derive(Debug)]
pub struct ArrivalCounter {
    scanner: Rc<Scanner>,
    tally: Rc<RefCell<Tally>>,
    received: Rc<RefCell<ReceivedNumbers>>,
}

impl ArrivalCounter {
    pub(crate) const fn new(
        scanner: Rc<Scanner>,
        tally: Rc<RefCell<Tally>>,
        received: Rc<RefCell<ReceivedNumbers>>,
    ) -> Self {
        Self { scanner, tally, received }
    }

    /// Counts the notifications in these bytes and calls `each` with every one.
    pub fn count(&mut self, bytes: &[u8], mut each: impl FnMut(&FoundNotification<'_>)) {
        let (tally, received) = (&mut *self.tally.borrow_mut(), &mut *self.received.borrow_mut());
        self.scanner.scan(bytes, |found| {
            received.count(&found, tally);
            each(&found);
        });
    }

    /// Counts a connection that the server ended.
    pub(crate) fn connection_lost(&self) {
        self.tally.borrow_mut().connections_lost += 1;
    }
}
