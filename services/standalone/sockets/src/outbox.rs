//! What waits to be written to one socket.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::vec;

use bytes::Bytes;
use contract_notifications_v1::Timestamp;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::tcp::SharedTcp;
use super::{Limits, lock, wire};

/// How many bytes are put together for one write.
pub(super) const WRITE_CHUNK: usize = 64 * 1024;

thread_local! {
    /// Where frames are put together.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends a place to put frames together, empty.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        let result = work(scratch);
        // What one large frame took is not kept for ever.
        if scratch.capacity() > 4 * WRITE_CHUNK {
            *scratch = Vec::new();
        }
        result
    })
}

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
    /// The socket's task has taken something and not yet written all of it.
    writing: bool,
    /// The rest of a frame of which a push could write only the beginning.
    rest: Vec<u8>,
    /// Where a push may write by itself while nothing else waits: it saves waking the socket's task, and being
    /// woken by it.
    direct: Option<SharedTcp>,
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
        limits: &Limits,
        now: Timestamp,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Ended>> {
        let mut woken = None;
        let poll = lock(&self.state).poll_push(push, limits, now, cx, &mut woken);
        if let Some(socket) = woken {
            socket.wake();
        }
        poll
    }

    /// From now on a push may write to the socket by itself.
    pub(super) fn write_directly(&self, socket: SharedTcp) {
        lock(&self.state).direct = Some(socket);
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
            state.direct = None;
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

    /// Appends frames to `into`, at least one if there is one, until it holds a chunk, and `control` to them; then
    /// nobody else writes until [`Outbox::wrote`]. Frames stay behind when `is_open` is false.
    pub(super) fn take(&self, into: &mut Vec<u8>, max_frame: usize, control: &mut Vec<u8>, is_open: bool) {
        let mut state = lock(&self.state);
        into.append(&mut state.rest);
        if is_open {
            state.take(into, max_frame);
        }
        into.append(control);
        state.writing = !into.is_empty();
    }

    /// All that was taken is written.
    pub(super) fn wrote(&self, now: Timestamp) {
        let pushes = {
            let mut state = lock(&self.state);
            state.writing = false;
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
    fn take(&mut self, into: &mut Vec<u8>, max_frame: usize) {
        if mem::take(&mut self.ping) {
            into.extend_from_slice(&wire::PING);
        }
        while into.len() < WRITE_CHUNK {
            let Some(frame) = self.queue.pop_front() else { break };
            wire::text(into, &frame, max_frame);
        }
        // What a burst took is not kept for an idle connection.
        if self.queue.is_empty() && self.queue.capacity() > 8 {
            self.queue = VecDeque::new();
        }
    }

    fn put(&mut self, frame: Bytes, now: Timestamp) {
        self.bytes += frame.len();
        self.put += 1;
        self.queue.push_back(frame);
        self.owing_since.get_or_insert(now);
    }

    fn poll_push(
        &mut self,
        push: &mut PendingPush,
        limits: &Limits,
        now: Timestamp,
        cx: &mut Context<'_>,
        woken: &mut Option<Waker>,
    ) -> Poll<Result<(), Ended>> {
        let room = limits.buffer_bytes;
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
        self.write_directly(push, limits.max_frame_bytes, now);
        if push.chunk == 0 && push.rest.as_slice().is_empty() {
            return Poll::Ready(Ok(()));
        }
        push.start = self.put - push.chunk as u64;
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

    /// Writes a push's first frames, if nothing is before them and the socket takes them at once.
    fn write_directly(&mut self, push: &mut PendingPush, max_frame: usize, now: Timestamp) {
        let is_first = !self.writing && !self.ping && self.queue.is_empty() && self.rest.is_empty();
        let Some(direct) = self.direct.as_ref().filter(|_| is_first) else { return };
        with_scratch(|scratch| {
            let mut count = 0;
            for frame in push.rest.as_slice() {
                wire::text(scratch, frame, max_frame);
                count += 1;
                if scratch.len() >= WRITE_CHUNK {
                    break;
                }
            }
            let written = direct.write_now(scratch);
            if written == 0 {
                return;
            }
            push.rest.by_ref().take(count).for_each(drop);
            self.put += count as u64;
            if written == scratch.len() {
                self.written = self.put;
                push.accepted += count;
                return;
            }
            self.rest = scratch[written..].to_vec();
            self.bytes += self.rest.len();
            self.owing_since.get_or_insert(now);
            push.chunk = count;
        });
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.pushes.iter().any(|known| known.will_wake(cx.waker())) {
            self.pushes.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
