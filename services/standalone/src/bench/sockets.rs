//! All WebSockets of a measurement, on one thread.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use futures_util::StreamExt as _;
use futures_util::stream;
use hdrhistogram::Histogram;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep, timeout_at};

use super::http::Address;
use super::message::{Run, Scanner};
use super::socket::Socket;
use super::tally::{Seen, Tally, histogram};
use super::{Load, Target, tokens};

/// Handshakes at a time.
const HANDSHAKES: usize = 64;
/// Tokens asked for at once: few enough that none expires before its handshake.
pub(super) const WAVE: usize = 2_000;
/// As the Rust client does.
const ACK_BATCH: usize = 25;
const ACK_DELAY: Duration = Duration::from_secs(1);

/// Open WebSockets that count what they get.
pub(super) struct Sockets {
    pub(super) tally: Rc<RefCell<Tally>>,
    tasks: Vec<JoinHandle<()>>,
    scanner: Rc<Scanner>,
    acknowledge: bool,
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// What is appended to a token in a handshake's query.
pub(super) fn query(load: &Load) -> String {
    let format = match load.format {
        FrameFormat::Single => "single",
        FrameFormat::Batch => "batch",
        FrameFormat::Raw => "raw",
    };
    let acknowledge = if acknowledges(load) { "&acknowledge=true" } else { "" };
    format!("format={format}{acknowledge}")
}

fn acknowledges(load: &Load) -> bool {
    load.acknowledge && load.format != FrameFormat::Raw
}

impl Sockets {
    pub(super) fn new(run: &Run, load: &Load) -> Self {
        Self {
            tally: Tally::new(),
            tasks: Vec::new(),
            scanner: Rc::new(Scanner::new(run)),
            acknowledge: acknowledges(load),
        }
    }

    /// Opens them all, and gives the time each handshake took and the time all took, tokens aside.
    pub(super) async fn open(
        &mut self,
        target: &Target,
        run: &Run,
        load: &Load,
    ) -> anyhow::Result<(Histogram<u64>, Duration)> {
        let mut times = histogram();
        let mut took = Duration::ZERO;
        let users: Vec<u32> = (0..load.connections).map(|connection| connection % load.users).collect();
        for wave in users.chunks(WAVE) {
            let names = wave.iter().map(|&user| run.user(user)).collect();
            let tokens = tokens::fetch(target, names).await?;
            took += self.open_wave(target, load, tokens, &mut times).await?;
        }
        Ok((times, took))
    }

    /// Opens one for each token.
    pub(super) async fn open_wave(
        &mut self,
        target: &Target,
        load: &Load,
        tokens: Vec<String>,
        times: &mut Histogram<u64>,
    ) -> anyhow::Result<Duration> {
        let (address, query) = (Address::of(target)?, query(load));
        let (address, query) = (&address, &query);
        let began = Instant::now();
        let mut handshakes = stream::iter(tokens)
            .map(|token| async move {
                let began = Instant::now();
                let socket = Socket::open(address, &format!("token={token}&{query}")).await;
                socket.map(|socket| (socket, began.elapsed()))
            })
            .buffer_unordered(HANDSHAKES);
        while let Some(opened) = handshakes.next().await {
            let (socket, took) = opened?;
            times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
            let reader = Reader {
                socket,
                scanner: Rc::clone(&self.scanner),
                tally: Rc::clone(&self.tally),
                seen: Seen::default(),
                acks: self.acknowledge.then(Acks::default),
            };
            self.tasks.push(spawn_local(reader.run()));
        }
        Ok(began.elapsed())
    }

    /// Waits until so many arrived, or no more come.
    pub(super) async fn drain(&self, expected: u64, quiet: Duration) {
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

/// An acknowledgement being gathered, as the text of its frame.
#[derive(Default)]
struct Acks {
    text: Vec<u8>,
    count: usize,
    due: Option<Instant>,
}

impl Acks {
    fn push(&mut self, sequence: &[u8]) {
        let opening: &[u8] = if self.count == 0 { br#"{"action":"ack","sequences":[""# } else { br#"",""# };
        self.text.extend_from_slice(opening);
        self.text.extend_from_slice(sequence);
        self.count += 1;
    }

    /// The frame, which has as many as came, or 1000 at most as the reader sees to.
    fn take(&mut self) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.text);
        text.extend_from_slice(br#""]}"#);
        (self.count, self.due) = (0, None);
        text
    }
}

/// One connection's task.
struct Reader {
    socket: Socket,
    scanner: Rc<Scanner>,
    tally: Rc<RefCell<Tally>>,
    seen: Seen,
    acks: Option<Acks>,
}

impl Reader {
    async fn run(mut self) {
        while let Ok(ControlFlow::Continue(())) = self.step().await {}
        self.tally.borrow_mut().lost += 1;
    }

    async fn step(&mut self) -> std::io::Result<ControlFlow<()>> {
        let due = self.acks.as_ref().and_then(|acks| acks.due);
        let Self { socket, scanner, tally, seen, acks } = self;
        let mut full = Vec::new();
        let read = socket.read(|message| {
            let tally = &mut *tally.borrow_mut();
            scanner.scan(message, |found| {
                seen.count(&found, tally);
                if let (Some(acks), Some(sequence)) = (acks.as_mut(), found.sequence) {
                    acks.push(sequence);
                    if acks.count == contract_frames_v1::MAX_ACK_SEQUENCES {
                        full.push(acks.take());
                    }
                }
            });
        });
        let flow = match due {
            None => read.await?,
            Some(due) => timeout_at(due, read).await.unwrap_or(Ok(ControlFlow::Continue(())))?,
        };
        for frame in full {
            self.socket.send(&frame).await?;
        }
        if let Some(acks) = &mut self.acks
            && acks.count > 0
        {
            let due = *acks.due.get_or_insert_with(|| Instant::now() + ACK_DELAY);
            if acks.count >= ACK_BATCH || due <= Instant::now() {
                let frame = acks.take();
                self.socket.send(&frame).await?;
            }
        }
        Ok(flow)
    }
}

#[cfg(test)]
mod tests {
    use contract_frames_v1::ClientFrame;
    use contract_notifications_v1::Sequence;

    use super::*;

    #[test]
    fn acknowledgements_are_frames_of_the_contract() {
        let mut acks = Acks::default();
        for number in [3, 5] {
            acks.push(Sequence::new(number).to_string().as_bytes());
        }
        let text = String::from_utf8(acks.take()).unwrap();
        let expected = ClientFrame::Ack { sequences: vec![Sequence::new(3), Sequence::new(5)] };
        assert_eq!(ClientFrame::from_json(&text).unwrap(), expected);
        assert_eq!((acks.count, acks.text.len()), (0, 0));
    }
}
