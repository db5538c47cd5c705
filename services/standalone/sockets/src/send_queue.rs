//! The frames that wait to be written to one socket.
//!
//! Pushes put frames in and wait; the socket's task takes them out, writes them and wakes the pushes. Frames are
//! numbered by the counts `put` and `written`, by which a push knows how many of its own are written. One lock guards all
//! of it; wakers are called after the lock is released.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::vec;

use bytes::Bytes;
use contract_notifications_v1::Timestamp;
use shared_sync::IgnorePoison as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::tcp::SharedTcp;
use super::{Limits, wire};

/// Number of bytes coalesced into one write.
pub(super) const WRITE_CHUNK: usize = 64 * 1024;

thread_local! {
    /// The buffer in which frames are coalesced.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's buffer for coalescing frames, empty.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        let result = work(scratch);
        // The memory of one large frame is not kept.
        if scratch.capacity() > 4 * WRITE_CHUNK {
            *scratch = Vec::new();
        }
        result
    })
}

/// The way in which the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a close frame, and then the client's answer to it.
    Close(CloseCode, &'static str),
    /// At once.
    Drop,
}

/// The frames that wait for one socket, and the pushes that wait for them. It exists as long as the connection's row, so
/// that frames pushed before the socket opens wait.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    /// Number of bytes that wait or are being written.
    bytes: usize,
    /// Number of frames put in so far.
    put: u64,
    /// Number of frames written so far. Those between the two counts wait or are being written.
    written: u64,
    /// Time since which the socket has bytes to write and made no progress.
    owing_since: Option<Timestamp>,
    ping: bool,
    end: Option<End>,
    /// True while the socket's task has taken bytes and not yet written all of them.
    writing: bool,
    /// The rest of frames of which a push could write only the beginning.
    rest: Vec<u8>,
    /// The socket to which a push may write directly while nothing else waits, which saves waking the socket's task and
    /// being woken by it.
    direct: Option<SharedTcp>,
    socket: Option<Waker>,
    pushes: Vec<Waker>,
}

/// The progress of a push.
#[derive(Debug)]
pub(super) struct PendingPush {
    rest: vec::IntoIter<Bytes>,
    /// Number of frames put in and not yet known to be written.
    chunk: usize,
    /// Value of the count `put` before them.
    start: u64,
    /// Number of frames known to be written.
    pub(super) accepted: usize,
}

impl PendingPush {
    pub(super) fn new(frames: Vec<Bytes>) -> Self {
        Self { rest: frames.into_iter(), chunk: 0, start: 0, accepted: 0 }
    }
}

/// The connection ended before all frames were written.
#[derive(Debug)]
pub(super) struct Ended;

impl SendQueue {
    /// Drives a push: puts in as many frames as fit, and the next ones when those are written. An empty queue takes at
    /// least one frame, however large.
    pub(super) fn poll_push(
        &self,
        push: &mut PendingPush,
        limits: &Limits,
        now: Timestamp,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Ended>> {
        let mut woken = None;
        let poll = self.state.lock().ignore_poison().poll_push(push, limits, now, cx, &mut woken);
        if let Some(socket) = woken {
            socket.wake();
        }
        poll
    }

    /// Lets pushes write to the socket directly from now on.
    pub(super) fn write_directly(&self, socket: SharedTcp) {
        self.state.lock().ignore_poison().direct = Some(socket);
    }

    /// Puts in a frame without waiting for it to be written. After the end of the connection the frame is dropped.
    pub(super) fn send(&self, frame: Bytes, now: Timestamp) {
        let socket = {
            let mut state = self.state.lock().ignore_poison();
            if state.end.is_some() {
                return;
            }
            state.put(frame, now);
            state.socket.take()
        };
        wake(socket);
    }

    /// Returns true if more than `limit` bytes wait.
    pub(super) fn is_over(&self, limit: usize) -> bool {
        self.state.lock().ignore_poison().bytes > limit
    }

    /// Returns the number of bytes that wait or are being written.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.state.lock().ignore_poison().bytes
    }

    /// Returns the time since which the socket has made no progress; `None` if nothing waits.
    pub(super) fn owing_since(&self) -> Option<Timestamp> {
        self.state.lock().ignore_poison().owing_since
    }

    /// Sends a ping.
    pub(super) fn ping(&self) {
        let socket = {
            let mut state = self.state.lock().ignore_poison();
            state.ping = true;
            state.socket.take()
        };
        wake(socket);
    }

    /// Ends the connection: drops the waiting frames and wakes their pushes. Of several ends the first counts, but
    /// [`End::Drop`] overrides all.
    pub(super) fn end(&self, end: End) {
        let (socket, pushes) = {
            let mut state = self.state.lock().ignore_poison();
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

    /// Registers the waker of the socket's task, and returns the end of the connection if it is to end.
    pub(super) fn watch(&self, waker: &Waker) -> Option<End> {
        let mut state = self.state.lock().ignore_poison();
        if !state.socket.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.socket = Some(waker.clone());
        }
        state.end
    }

    /// Appends frames to `into`, at least one if there is one, until it holds a chunk, and then `control`. Pushes don't
    /// write directly until [`SendQueue::wrote`]. Frames stay behind when `is_open` is false.
    pub(super) fn take(&self, into: &mut Vec<u8>, max_frame: usize, control: &mut Vec<u8>, is_open: bool) {
        let mut state = self.state.lock().ignore_poison();
        into.append(&mut state.rest);
        if is_open {
            state.take(into, max_frame);
        }
        into.append(control);
        state.writing = !into.is_empty();
    }

    /// Reports that all taken bytes are written, and wakes the pushes.
    pub(super) fn wrote(&self, now: Timestamp) {
        let pushes = {
            let mut state = self.state.lock().ignore_poison();
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
        // An idle connection does not keep the memory of a burst.
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
            if self.bytes > 0 && self.bytes + frame.len() > limits.buffer_bytes {
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

    /// Writes a push's first frames directly, if nothing waits before them and the socket takes them at once.
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
