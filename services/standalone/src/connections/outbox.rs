//! What waits to be written to one socket.

use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::vec;

use bytes::Bytes;
use contract_notifications_v1::Timestamp;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{lock, wire};

/// How a connection ends from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a close frame, then the client's answer to it.
    Close(CloseCode, &'static str),
    /// At once.
    Drop,
}

/// The frames that wait for one socket, and those who wait for them to be written. It is there from the
/// moment the connection's row is, so that what is pushed before the socket is open waits.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    /// Bytes of the frames that wait or are being written.
    bytes: usize,
    /// Frames put in so far, and those of them written. What lies between waits or is being written.
    put: u64,
    written: u64,
    /// Since when the socket owes progress.
    owing_since: Option<Timestamp>,
    ping: bool,
    end: Option<End>,
    socket: Option<Waker>,
    pushes: Vec<Waker>,
}

/// How far a push has come.
#[derive(Debug)]
pub(super) struct PendingPush {
    rest: vec::IntoIter<Bytes>,
    /// The frames put into the outbox and not yet known to be written: how many, and the number of those
    /// put in before them.
    chunk: usize,
    start: u64,
    /// Frames known to be written.
    pub(super) accepted: usize,
}

impl PendingPush {
    pub(super) fn new(frames: Vec<Bytes>) -> Self {
        Self { rest: frames.into_iter(), chunk: 0, start: 0, accepted: 0 }
    }
}

/// The connection came to its end before all was written.
#[derive(Debug)]
pub(super) struct Ended;

impl Outbox {
    /// Drives a push: puts in as many frames as there is room for, and the next ones when those are
    /// written. At least one frame finds room in an empty outbox.
    pub(super) fn poll_push(
        &self,
        push: &mut PendingPush,
        room: usize,
        now: Timestamp,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Ended>> {
        let mut woken = None;
        let poll = lock(&self.state).poll_push(push, room, now, cx, &mut woken);
        if let Some(socket) = woken {
            socket.wake();
        }
        poll
    }

    /// Puts in a frame that nobody waits for. After the end it goes nowhere.
    pub(super) fn send(&self, frame: Bytes, now: Timestamp) {
        let socket = {
            let mut state = lock(&self.state);
            if state.end.is_some() {
                return;
            }
            state.put(frame, now);
            state.socket.take()
        };
        wake(socket);
    }

    /// Whether frames that wait take more than `room` bytes.
    pub(super) fn is_over(&self, room: usize) -> bool {
        lock(&self.state).bytes > room
    }

    /// Bytes of the frames that wait or are being written.
    pub(super) fn waiting_bytes(&self) -> usize {
        lock(&self.state).bytes
    }

    /// Since when the socket owes progress.
    pub(super) fn owing_since(&self) -> Option<Timestamp> {
        lock(&self.state).owing_since
    }

    /// Has a ping sent.
    pub(super) fn ping(&self) {
        let socket = {
            let mut state = lock(&self.state);
            state.ping = true;
            state.socket.take()
        };
        wake(socket);
    }

    /// Ends the connection. What waits is let go, and whoever waits for it learns of the end. Of several
    /// ends the first stands, but [`End::Drop`] comes before all.
    pub(super) fn end(&self, end: End) {
        let (socket, pushes) = {
            let mut state = lock(&self.state);
            if state.end.is_none() || end == End::Drop {
                state.end = Some(end);
            }
            state.queue = VecDeque::new();
            state.bytes = 0;
            state.owing_since = None;
            (state.socket.take(), mem::take(&mut state.pushes))
        };
        wake(socket);
        pushes.into_iter().for_each(Waker::wake);
    }

    /// Has the socket's task woken when there is something to do; tells whether the connection is to end.
    pub(super) fn watch(&self, waker: &Waker) -> Option<End> {
        let mut state = lock(&self.state);
        if !state.socket.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.socket = Some(waker.clone());
        }
        state.end
    }

    /// Appends frames to `into`, at least one if there is one, until it holds `enough` bytes.
    pub(super) fn take(&self, into: &mut Vec<u8>, enough: usize, max_frame: usize) {
        let mut state = lock(&self.state);
        if mem::take(&mut state.ping) {
            into.extend_from_slice(&wire::PING);
        }
        while into.len() < enough {
            let Some(frame) = state.queue.pop_front() else { break };
            wire::text(into, &frame, max_frame);
        }
        // What a burst took is not kept for an idle connection.
        if state.queue.is_empty() && state.queue.capacity() > 8 {
            state.queue = VecDeque::new();
        }
    }

    /// All that was taken is written.
    pub(super) fn wrote(&self, now: Timestamp) {
        let pushes = {
            let mut state = lock(&self.state);
            let waiting = state.queue.len() as u64;
            if state.end.is_some() || state.written == state.put - waiting {
                return;
            }
            state.written = state.put - waiting;
            state.bytes = state.queue.iter().map(Bytes::len).sum();
            state.owing_since = (waiting > 0).then_some(now);
            mem::take(&mut state.pushes)
        };
        pushes.into_iter().for_each(Waker::wake);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl State {
    fn put(&mut self, frame: Bytes, now: Timestamp) {
        self.bytes += frame.len();
        self.put += 1;
        self.queue.push_back(frame);
        self.owing_since.get_or_insert(now);
    }

    fn poll_push(
        &mut self,
        push: &mut PendingPush,
        room: usize,
        now: Timestamp,
        cx: &mut Context<'_>,
        woken: &mut Option<Waker>,
    ) -> Poll<Result<(), Ended>> {
        let written = usize::try_from(self.written.saturating_sub(push.start)).unwrap_or(usize::MAX);
        if written < push.chunk {
            if self.end.is_some() {
                push.accepted += written;
                return Poll::Ready(Err(Ended));
            }
            return self.wait(cx);
        }
        push.accepted += mem::take(&mut push.chunk);
        if push.rest.as_slice().is_empty() {
            return Poll::Ready(Ok(()));
        }
        if self.end.is_some() {
            return Poll::Ready(Err(Ended));
        }
        push.start = self.put;
        while let Some(frame) = push.rest.as_slice().first() {
            if self.bytes > 0 && self.bytes + frame.len() > room {
                break;
            }
            push.chunk += 1;
            self.put(push.rest.next().unwrap_or_default(), now);
        }
        if push.chunk > 0 {
            *woken = self.socket.take();
        }
        self.wait(cx)
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.pushes.iter().any(|known| known.will_wake(cx.waker())) {
            self.pushes.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
