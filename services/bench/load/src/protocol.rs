//! What a receiver says and understands, whatever carries it.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use tokio::time::Instant;

use crate::message::{Found, Scanner};
use crate::tally::{Seen, Tally};

/// What kind of WebSocket frames a protocol is carried by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// Text frames.
    Text,
    /// Binary frames.
    Binary,
}

/// One receiver's side of a protocol.
pub trait Protocol {
    /// What its frames are, where it is carried by WebSocket.
    fn opcode(&self) -> Opcode;

    /// What is said first, once the transport is open.
    fn open(&mut self, _out: &mut Vec<u8>) {}

    /// Whether the server has confirmed that notifications will come.
    fn is_open(&self) -> bool {
        true
    }

    /// Understands the next bytes: those of one message over WebSocket, whatever came over TCP. Appends what is
    /// to be answered. Breaks when the server ends or refuses the connection.
    fn feed(&mut self, bytes: &[u8], arrivals: &mut Arrivals, out: &mut Vec<u8>) -> ControlFlow<()>;

    /// When something is to be said though nothing comes.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Says what is due.
    fn tick(&mut self, _out: &mut Vec<u8>) {}
}

/// Where a receiver's notifications are counted.
#[derive(Debug)]
pub struct Arrivals {
    scanner: Rc<Scanner>,
    tally: Rc<RefCell<Tally>>,
    seen: Rc<RefCell<Seen>>,
}

impl Arrivals {
    pub(crate) const fn new(
        scanner: Rc<Scanner>,
        tally: Rc<RefCell<Tally>>,
        seen: Rc<RefCell<Seen>>,
    ) -> Self {
        Self { scanner, tally, seen }
    }

    /// Counts the notifications in these bytes, and shows each.
    pub fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&Found<'_>)) {
        let (tally, seen) = (&mut *self.tally.borrow_mut(), &mut *self.seen.borrow_mut());
        self.scanner.scan(bytes, |found| {
            seen.count(&found, tally);
            each(&found);
        });
    }

    /// Enters that the connection ended on its own.
    pub(crate) fn ended(&self) {
        self.tally.borrow_mut().lost += 1;
    }
}
