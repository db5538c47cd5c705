//! The frames that wait to be written to one socket.
//!
//! Pushes put frames in and wait; the socket's task takes them out, writes them and wakes the pushes. Frames are
//! numbered by the counts `put` and `written`, by which a push knows how many of its own are written. Pings for receipts
//! go out behind the frames, in the same write. One lock guards all of it; wakers are called after the lock is released.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::vec;

use bytes::Bytes;
use contract_notifications_v1::Sequence;
use dispatcher::ports::PushFrame;
use shared_ports::Moment;
use shared_sync::IgnorePoison as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::receipts::Receipts;
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
    /// As [`End::Close`], and what the client still sends is discarded: it may no longer act.
    ShutOut(CloseCode, &'static str),
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
    queue: VecDeque<PushFrame>,
    /// Number of bytes that wait or are being written.
    bytes: usize,
    /// Number of frames put in so far.
    put: u64,
    /// Number of frames written so far. Those between the two counts wait or are being written.
    written: u64,
    /// Moment since which the socket has bytes to write and made no progress.
    owing_since: Option<Moment>,
    /// True if a ping is to be sent for the sake of keepalive.
    ping: bool,
    /// Moment of the oldest ping that is not answered, or of the last answer if it is later; `None` if all are answered.
    pinged_at: Option<Moment>,
    /// Moment since which a push waits and the client made no progress.
    blocked_since: Option<Moment>,
    /// The receipts, if the connection has them.
    receipts: Option<Box<Receipts>>,
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
    rest: vec::IntoIter<PushFrame>,
    /// Number of frames put in and not yet known to be written.
    chunk: usize,
    /// Value of the count `put` before them.
    start: u64,
    /// Number of frames known to be written.
    pub(super) accepted: usize,
    /// True if it asked for a receipt, as the first since the last beat.
    pub(super) asked: bool,
}

impl PendingPush {
    pub(super) fn new(frames: Vec<PushFrame>) -> Self {
        Self { rest: frames.into_iter(), chunk: 0, start: 0, accepted: 0, asked: false }
    }
}

/// The connection ended before all frames were written.
#[derive(Debug)]
pub(super) struct Ended;

/// A client's answer to a ping.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pong {
    /// It does not answer the ping under way.
    Unsolicited,
    /// It answers the ping under way, and is the receipt for these notifications.
    Receipt(Vec<Sequence>),
}

impl SendQueue {
    /// Makes a queue. With `receipts`, pongs tell which notifications the client has.
    pub(super) fn new(receipts: Option<Receipts>) -> Self {
        let receipts = receipts.map(Box::new);
        Self { state: Mutex::new(State { receipts, ..State::default() }) }
    }

    /// Drives a push: puts in as many frames as fit, and the next ones when those are written. An empty queue takes at
    /// least one frame, however large.
    pub(super) fn poll_push(
        &self,
        push: &mut PendingPush,
        limits: &Limits,
        now: Moment,
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
    pub(super) fn send(&self, frame: Bytes, now: Moment) {
        let socket = {
            let mut state = self.state.lock().ignore_poison();
            if state.end.is_some() {
                return;
            }
            state.put(frame.into(), now);
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

    /// Returns the moment since which the socket has made no progress; `None` if nothing waits.
    pub(super) fn owing_since(&self) -> Option<Moment> {
        self.state.lock().ignore_poison().owing_since
    }

    /// Sends a ping, unless one is under way.
    pub(super) fn ping(&self, now: Moment) {
        let socket = {
            let mut state = self.state.lock().ignore_poison();
            if state.receipts.as_ref().is_some_and(|receipts| receipts.is_ping_under_way()) {
                return;
            }
            state.ping = true;
            state.pinged_at = Some(now);
            state.socket.take()
        };
        wake(socket);
    }

    /// Returns the moment of the last ping, unless it was answered. Without receipts, any message since then is an
    /// answer; the client was last heard at `heard_at`.
    pub(super) fn pinged_at(&self, heard_at: Moment) -> Option<Moment> {
        let state = self.state.lock().ignore_poison();
        state.pinged_at.filter(|at| state.receipts.is_some() || heard_at < *at)
    }

    /// Notes a beat of the pace of receipts, and wakes the socket's task if a ping is due.
    pub(super) fn beat(&self) {
        let socket = {
            let mut state = self.state.lock().ignore_poison();
            let due = state.receipts.as_mut().is_some_and(|receipts| receipts.beat());
            state.socket.take_if(|_| due)
        };
        wake(socket);
    }

    /// Returns the moment since which a push waits for the client, which makes no progress.
    pub(super) fn blocked_since(&self) -> Option<Moment> {
        self.state.lock().ignore_poison().blocked_since
    }

    /// Takes a pong.
    pub(super) fn pong(&self, payload: &[u8], now: Moment) -> Pong {
        let (sequences, pushes) = {
            let mut state = self.state.lock().ignore_poison();
            let Some(receipts) = &mut state.receipts else { return Pong::Unsolicited };
            let Some(sequences) = receipts.pong(payload) else { return Pong::Unsolicited };
            state.pinged_at = receipts.is_ping_under_way().then_some(now);
            state.blocked_since = None;
            (sequences, mem::take(&mut state.pushes))
        };
        pushes.into_iter().for_each(Waker::wake);
        Pong::Receipt(sequences)
    }

    /// Returns true if the client may no longer act.
    pub(super) fn is_shut_out(&self) -> bool {
        matches!(self.state.lock().ignore_poison().end, Some(End::ShutOut(..)))
    }

    /// Ends the connection: drops the waiting frames and wakes their pushes. Of several ends the strongest
    /// counts, and of equal ones the first.
    pub(super) fn end(&self, end: End) {
        let (socket, pushes) = {
            let mut state = self.state.lock().ignore_poison();
            let is_stronger = match state.end {
                None => true,
                Some(End::Close(..)) => !matches!(end, End::Close(..)),
                Some(End::ShutOut(..)) => end == End::Drop,
                Some(End::Drop) => false,
            };
            if is_stronger {
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
    /// write directly until [`SendQueue::wrote`]. Frames stay behind when `is_open` is false. Returns true if it asked
    /// for a receipt, as the first since the last beat.
    pub(super) fn take(
        &self,
        into: &mut Vec<u8>,
        control: &mut Vec<u8>,
        max_frame: usize,
        is_open: bool,
        now: Moment,
    ) -> bool {
        let mut state = self.state.lock().ignore_poison();
        into.append(&mut state.rest);
        let asked = is_open && state.take(into, max_frame, now);
        into.append(control);
        state.writing = !into.is_empty();
        asked
    }

    /// Reports that all taken bytes are written, and wakes the pushes.
    pub(super) fn wrote(&self, now: Moment) {
        let pushes = {
            let mut state = self.state.lock().ignore_poison();
            state.writing = false;
            let waiting = state.queue.len() as u64;
            if state.end.is_some() || state.written == state.put - waiting {
                return;
            }
            state.written = state.put - waiting;
            state.bytes = state.queue.iter().map(|frame| frame.text.len()).sum();
            state.owing_since = (waiting > 0).then_some(now);
            state.blocked_since = None;
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
    fn take(&mut self, into: &mut Vec<u8>, max_frame: usize, now: Moment) -> bool {
        let mut asked = false;
        while into.len() < WRITE_CHUNK {
            let Some(PushFrame { text, sequences }) = self.queue.pop_front() else { break };
            wire::text(into, &text, max_frame);
            let number = self.put - self.queue.len() as u64;
            if let Some(receipts) = &mut self.receipts {
                receipts.given(number, text.len(), sequences);
                if receipts.asking().is_due_at_once() {
                    asked |= self.ping_behind(into, number, now);
                }
            }
        }
        asked |= self.ping_behind(into, self.put - self.queue.len() as u64, now);
        // An idle connection does not keep the memory of a burst.
        if self.queue.is_empty() && self.queue.capacity() > 8 {
            self.queue = VecDeque::new();
        }
        asked
    }

    /// Appends a ping behind the first `number` frames, if one is due. Returns true if it asks for a receipt, as the first
    /// since the last beat.
    fn ping_behind(&mut self, into: &mut Vec<u8>, number: u64, now: Moment) -> bool {
        let keepalive = mem::take(&mut self.ping);
        match &mut self.receipts {
            Some(receipts) if receipts.asking().is_due() || keepalive && !receipts.is_ping_under_way() => {
                wire::ping(into, number);
                self.pinged_at.get_or_insert(now);
                return receipts.pinged(number);
            }
            None if keepalive => into.extend_from_slice(&wire::PING),
            _ => {}
        }
        false
    }

    fn put(&mut self, frame: PushFrame, now: Moment) {
        self.bytes += frame.text.len();
        self.put += 1;
        self.queue.push_back(frame);
        self.owing_since.get_or_insert(now);
    }

    /// Returns the bytes that wait for the socket or for receipts.
    fn owed_bytes(&self) -> usize {
        self.bytes + self.receipts.as_ref().map_or(0, |receipts| receipts.bytes())
    }

    fn poll_push(
        &mut self,
        push: &mut PendingPush,
        limits: &Limits,
        now: Moment,
        cx: &mut Context<'_>,
        woken: &mut Option<Waker>,
    ) -> Poll<Result<(), Ended>> {
        let written = usize::try_from(self.written.saturating_sub(push.start)).unwrap_or(usize::MAX);
        if written < push.chunk {
            if self.end.is_some() {
                push.accepted += written;
                return Poll::Ready(Err(Ended));
            }
            return self.wait(now, cx);
        }
        push.accepted += mem::take(&mut push.chunk);
        if push.rest.as_slice().is_empty() {
            return Poll::Ready(Ok(()));
        }
        if self.end.is_some() {
            return Poll::Ready(Err(Ended));
        }
        self.write_directly(push, limits, now);
        if push.chunk == 0 && push.rest.as_slice().is_empty() {
            return Poll::Ready(Ok(()));
        }
        push.start = self.put - push.chunk as u64;
        let fits =
            |owed: usize, frame: &PushFrame| owed == 0 || owed + frame.text.len() <= limits.buffer_bytes;
        while push.rest.as_slice().first().is_some_and(|frame| fits(self.owed_bytes(), frame))
            && let Some(frame) = push.rest.next()
        {
            push.chunk += 1;
            self.put(frame, now);
        }
        if push.chunk > 0 {
            *woken = self.socket.take();
        }
        self.wait(now, cx)
    }

    /// Writes a push's first frames directly, if nothing waits before them and the socket takes them at once.
    fn write_directly(&mut self, push: &mut PendingPush, limits: &Limits, now: Moment) {
        let is_first = !self.writing && !self.ping && self.queue.is_empty() && self.rest.is_empty();
        let mut owed = self.owed_bytes();
        let Some(direct) = self.direct.as_ref().filter(|_| is_first) else { return };
        with_scratch(|scratch| {
            // Pings count only if something is written. Until then the decisions are made on a copy.
            let mut asking = self.receipts.as_ref().map(|receipts| receipts.asking());
            let mut pinged = Vec::new();
            let mut count = 0;
            for frame in push.rest.as_slice() {
                if owed > 0 && owed + frame.text.len() > limits.buffer_bytes {
                    break;
                }
                owed += frame.text.len();
                wire::text(scratch, &frame.text, limits.max_frame_bytes);
                count += 1;
                if let Some(asking) = asking.as_mut().filter(|_| !frame.sequences.is_empty()) {
                    asking.given(frame.text.len());
                    if asking.is_due_at_once() {
                        asking.pinged();
                        wire::ping(scratch, self.put + count as u64);
                        pinged.push(self.put + count as u64);
                    }
                }
                if scratch.len() >= WRITE_CHUNK {
                    break;
                }
            }
            if asking.is_some_and(|asking| asking.is_due()) {
                wire::ping(scratch, self.put + count as u64);
                pinged.push(self.put + count as u64);
            }
            let written = direct.write_now(scratch);
            if written == 0 {
                return;
            }
            let mut pinged = pinged.into_iter().peekable();
            for PushFrame { text, sequences } in push.rest.by_ref().take(count) {
                self.put += 1;
                if let Some(receipts) = &mut self.receipts {
                    receipts.given(self.put, text.len(), sequences);
                    if pinged.next_if_eq(&self.put).is_some() {
                        push.asked |= receipts.pinged(self.put);
                        self.pinged_at.get_or_insert(now);
                    }
                }
            }
            self.blocked_since = None;
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

    fn wait<T>(&mut self, now: Moment, cx: &Context<'_>) -> Poll<T> {
        self.blocked_since.get_or_insert(now);
        if !self.pushes.iter().any(|known| known.will_wake(cx.waker())) {
            self.pushes.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
