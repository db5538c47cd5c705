//! The phases of an HTTP connection, and their time limits.
//!
//! In every phase, a socket that doesn't take the bytes of answers has a limit too: a client that sends requests and
//! reads nothing would otherwise keep its connection for ever.
//!
//! A connection waits for the head of a request, is busy with it, and is then idle until the first byte of the next
//! one. The limit for a head is short, because a slow one may be an attack. The limit for an idle connection is long: a
//! proxy keeps connections for its next requests, and one that this server closes first costs a request.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use shared_sync::IgnorePoison as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep_until};

use super::open_files::OpenFiles;
use super::stream::Stream;

/// The phase of a connection, with the time at which it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The head of a request is expected or arrives.
    Head(Instant),
    /// A request is handled.
    Request,
    /// An answer was given, and nothing has arrived since.
    Idle(Instant),
}

/// Number of bytes that a socket must take within [`PhaseLimits::write`] while bytes wait for it.
const LEAST_PROGRESS: usize = 8 * 1024;

/// Bytes wait for the socket.
#[derive(Debug, Clone, Copy)]
struct Blocked {
    /// Time since which they wait, or since which the socket took [`LEAST_PROGRESS`].
    since: Instant,
    /// Number of bytes it took since then.
    taken: usize,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Set while the socket does not take all bytes at once.
    blocked: Option<Blocked>,
}

/// The phase of a connection, shared by its socket, its requests and its timer.
#[derive(Debug, Clone)]
pub(super) struct Phases(Arc<Mutex<State>>);

impl Phases {
    /// The phase of a new connection.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { phase: Phase::Head(Instant::now()), blocked: None })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().ignore_poison()
    }

    /// A request begins.
    pub(super) fn begin_request(&self) {
        self.lock().phase = Phase::Request;
    }

    /// A request is answered.
    pub(super) fn end_request(&self) {
        self.lock().phase = Phase::Idle(Instant::now());
    }

    /// Bytes arrived.
    fn receive(&self) {
        let mut state = self.lock();
        if let Phase::Idle(_) = state.phase {
            state.phase = Phase::Head(Instant::now());
        }
    }

    /// Notes the outcome of a write: the number of bytes that the socket took, or that it takes none now.
    fn write(&self, written: &Poll<io::Result<usize>>) {
        let mut state = self.lock();
        match (written, &mut state.blocked) {
            (Poll::Pending, None) => state.blocked = Some(Blocked { since: Instant::now(), taken: 0 }),
            (Poll::Ready(Ok(count)), Some(blocked)) => {
                blocked.taken += count;
                if blocked.taken >= LEAST_PROGRESS {
                    *blocked = Blocked { since: Instant::now(), taken: 0 };
                }
            }
            _ => {}
        }
    }

    /// Notes that the socket took all bytes.
    fn flush(&self) {
        self.lock().blocked = None;
    }

    fn phase(&self) -> Phase {
        self.lock().phase
    }

    fn blocked_since(&self) -> Option<Instant> {
        self.lock().blocked.map(|blocked| blocked.since)
    }
}

/// A socket that reports the bytes it moves to the phases of its connection.
#[derive(Debug)]
pub(super) struct Watched {
    stream: Stream,
    phases: Phases,
}

impl Watched {
    pub(super) fn new(stream: Stream, phases: Phases) -> Self {
        Self { stream, phases }
    }

    /// Returns the socket alone, for a connection that is no longer HTTP's.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
        if into.filled().len() > before {
            self.phases.receive();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.phases.write(&written);
        written
    }

    /// hyper flushes when the socket has taken all it wrote.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        match &flushed {
            Poll::Pending => self.phases.write(&Poll::Pending),
            Poll::Ready(_) => self.phases.flush(),
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.phases.write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The limits of all connections.
#[derive(Debug, Clone)]
pub(super) struct PhaseLimits {
    /// Maximum time for the head of a request.
    pub(super) head: Duration,
    /// Maximum time between an answer and the next request.
    pub(super) idle: Duration,
    /// Maximum time in which a socket takes none of the bytes that wait for it.
    pub(super) write: Duration,
    /// One permit for each further connection.
    pub(super) capacity: Arc<Semaphore>,
    /// Number of permits without a connection.
    pub(super) connections: usize,
    /// The files that the process may have open, if they are limited.
    pub(super) open_files: Option<Arc<OpenFiles>>,
}

impl PhaseLimits {
    /// Returns the number of open connections.
    pub(super) fn open(&self) -> usize {
        self.connections.saturating_sub(self.capacity.available_permits())
    }

    /// Returns true if idle connections may keep others out.
    fn is_crowded(&self) -> bool {
        let open = self.open();
        open > self.connections / 2 || self.open_files.as_ref().is_some_and(|files| files.is_scarce(open))
    }
}

/// A limit that a connection has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// The head of a request did not arrive in time.
    Head,
    /// No further request came.
    Idle,
    /// The socket did not take the bytes of answers.
    Write,
}

impl Late {
    /// Counts a connection that is closed because of the limit.
    pub(super) fn count(self) {
        let limit = match self {
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Write => "write",
        };
        metrics::counter!("tidings_http_connections_late_total", "limit" => limit).increment(1);
    }
}

/// The timer of one connection. It must be polled by the task that drives the connection, after the connection.
pub(super) struct PhaseTimer {
    phases: Phases,
    limits: PhaseLimits,
    sleep: Pin<Box<Sleep>>,
    is_finishing: bool,
}

impl PhaseTimer {
    pub(super) fn new(phases: Phases, limits: PhaseLimits) -> Self {
        let sleep = Box::pin(sleep_until(Instant::now() + limits.head));
        Self { phases, limits, sleep, is_finishing: false }
    }

    /// Limits writes alone from now on.
    pub(super) fn finishing(&mut self) {
        self.is_finishing = true;
    }

    /// Returns the next limit of the present state.
    fn deadline(&self) -> Option<(Instant, Late)> {
        let write = self.phases.blocked_since().map(|since| (since + self.limits.write, Late::Write));
        let phase = if self.is_finishing { None } else { self.phase_deadline() };
        write.into_iter().chain(phase).min_by_key(|(deadline, _)| *deadline)
    }

    /// Returns the end of the present phase; `None` while a request is handled. While more than half of the allowed
    /// connections are open, idle ones may wait only as long as heads, so that they keep nobody out.
    fn phase_deadline(&self) -> Option<(Instant, Late)> {
        let PhaseLimits { head, idle, .. } = &self.limits;
        match self.phases.phase() {
            Phase::Head(since) => Some((since + *head, Late::Head)),
            Phase::Request => None,
            Phase::Idle(since) => {
                Some((since + if self.limits.is_crowded() { *head.min(idle) } else { *idle }, Late::Idle))
            }
        }
    }
}

impl Future for PhaseTimer {
    type Output = Late;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Late> {
        let Some((deadline, late)) = self.deadline() else { return Poll::Pending };
        // A timer that ends early is set again then, not with each request.
        if self.sleep.deadline() > deadline {
            self.sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let now = Instant::now();
            if now >= deadline {
                return Poll::Ready(late);
            }
            // Looks now and then if the server is crowded.
            let next = deadline.min(now + self.limits.head);
            self.sleep.as_mut().reset(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const HEAD: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_hours(1);
    const WRITE: Duration = Duration::from_secs(15);

    fn timer(connections: usize, open: usize) -> (Phases, PhaseTimer) {
        let phases = Phases::new();
        let capacity = Arc::new(Semaphore::new(connections - open));
        let limits =
            PhaseLimits { head: HEAD, idle: IDLE, write: WRITE, capacity, connections, open_files: None };
        (phases.clone(), PhaseTimer::new(phases, limits))
    }

    /// Returns the limit reached, and the seconds until then.
    async fn late(timer: &mut PhaseTimer) -> (Late, u64) {
        let start = Instant::now();
        let late = timeout(2 * IDLE, timer).await.expect("no limit is reached");
        (late, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_limit() {
        let (phases, mut timer) = timer(100, 1);
        assert_eq!(late(&mut timer).await, (Late::Head, 10));
        phases.begin_request();
        assert!(timeout(2 * IDLE, &mut timer).await.is_err(), "a request has no limit here");
        phases.end_request();
        assert_eq!(late(&mut timer).await, (Late::Idle, 3_600));
        phases.end_request();
        assert!(timeout(IDLE / 2, &mut timer).await.is_err());
        phases.receive();
        assert_eq!(late(&mut timer).await, (Late::Head, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn further_bytes_do_not_extend_a_head() {
        let (phases, mut timer) = timer(100, 1);
        assert!(timeout(HEAD / 2, &mut timer).await.is_err());
        phases.receive();
        assert_eq!(late(&mut timer).await, (Late::Head, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn blocked_write_has_a_limit_in_every_phase() {
        let (phases, mut timer) = timer(100, 1);
        phases.begin_request();
        phases.write(&Poll::Pending);
        assert_eq!(late(&mut timer).await, (Late::Write, 15));
        phases.flush();
        phases.end_request();
        phases.write(&Poll::Pending);
        assert_eq!(late(&mut timer).await, (Late::Write, 15));
        phases.flush();
        assert_eq!(late(&mut timer).await.0, Late::Idle);
        timer.finishing();
        assert!(timeout(2 * IDLE, &mut timer).await.is_err(), "only writes have a limit now");
        phases.write(&Poll::Pending);
        assert_eq!(late(&mut timer).await, (Late::Write, 15));
    }

    #[tokio::test(start_paused = true)]
    async fn trickle_of_reads_does_not_extend_a_write() {
        let (phases, mut timer) = timer(100, 1);
        phases.begin_request();
        phases.write(&Poll::Pending);
        for _ in 0..14 {
            assert!(timeout(Duration::from_secs(1), &mut timer).await.is_err());
            phases.write(&Poll::Ready(Ok(1)));
            phases.write(&Poll::Pending);
        }
        assert_eq!(late(&mut timer).await, (Late::Write, 1));
        phases.write(&Poll::Ready(Ok(LEAST_PROGRESS)));
        phases.write(&Poll::Pending);
        assert_eq!(late(&mut timer).await, (Late::Write, 15), "progress extends it");
    }

    #[tokio::test(start_paused = true)]
    async fn crowd_shortens_idle_time() {
        let (phases, mut timer) = timer(100, 51);
        phases.end_request();
        assert_eq!(late(&mut timer).await, (Late::Idle, 10));
        let capacity = Arc::clone(&timer.limits.capacity);
        capacity.add_permits(1);
        phases.end_request();
        assert!(timeout(IDLE / 2, &mut timer).await.is_err());
        capacity.forget_permits(1);
        assert!(late(&mut timer).await.1 <= 10);
    }
}
