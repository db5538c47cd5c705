//! Larger hubs: a client's message reaches all members. First all members are connected, then a few.
//!
//! The server's configuration names the members, so that those who are not connected count, too.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bench_kit::tidings::{self, CONCURRENT_HANDSHAKES};
use bench_kit::{Metrics, Recorder};
use bench_load::clock::now;
use bench_load::http::Address;
use bench_load::{
    ArrivalCounter, Handshake, Opcode, Protocol, Receiver, RunId, Sockets, Tally, Template, Window,
    histogram, tokens,
};
use memchr::memmem;
use tokio::time::Instant;

use crate::outcome::{Outcome, connection_limit};
use crate::scale::Scale;
use crate::server::{QUIET_PERIOD, Server};

/// The hub's name.
const HUB: &str = "team";
/// Connected members while the others are not.
const FEW: u32 = 5;
/// Largest number of broadcasts at a point. The server queues at most 10,000.
const MAX_BROADCASTS: u32 = 3_000;
/// Smallest number of broadcasts at a point.
const MIN_BROADCASTS: u32 = 5;
/// Largest number of notifications in flight to connected members. Two broadcasts are always allowed.
const WINDOW: u32 = 20_000;
/// Interval at which a full window is looked at again.
const POLL: Duration = Duration::from_millis(1);

pub(super) async fn measure(program: &Path, members: u32, scale: &Scale) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let broadcasts = (scale.hub_total / members.max(1)).clamp(MIN_BROADCASTS, MAX_BROADCASTS);
    let metrics = &mut outcome.metrics;
    match connection_limit(members)? {
        Some(reason) => outcome.not_measured.push(format!("all members connected: {reason}")),
        None => broadcast(program, (members, members), broadcasts, scale, "connected", metrics).await?,
    }
    broadcast(program, (members, members.min(FEW)), broadcasts, scale, "away", metrics).await?;
    Ok(outcome)
}

/// Sends broadcasts to a hub with some or all of its members connected, and records the cost for each member.
async fn broadcast(
    program: &Path,
    (members, connected): (u32, u32),
    broadcasts: u32,
    scale: &Scale,
    activity: &str,
    metrics: &mut Metrics,
) -> anyhow::Result<()> {
    let run = RunId::new();
    let server = Server::start(program, Some(&config(&run, members)?))?;
    let window = Window::with_copies(u64::from((WINDOW / connected).max(2)), connected.into());
    let tally = Tally::with_arrivals(Arc::clone(&window.arrivals));
    let mut sockets = Sockets::with_tally(&run, Rc::clone(&tally));
    let users: Vec<u32> = (0..connected).collect();
    let receivers = async |wave: &[u32]| server.receivers(&run, wave).await;
    sockets.concurrent_handshakes = CONCURRENT_HANDSHAKES;
    tidings::open_in_waves(&mut sockets, &users, receivers).await?;
    server.queue_is_empty().await?;

    let accepted = Rc::<RefCell<u32>>::default();
    let broadcaster = Broadcaster {
        frame: message_frame(&run, scale.payload_bytes),
        broadcasts,
        next: 0,
        window,
        accepted: Rc::clone(&accepted),
        due: None,
    };
    let sender = sender(&server, &run, members, broadcaster).await?;
    let (before, began) = (server.usage(), now());
    // The sender's frames are counted apart from the members'.
    let mut sender_socket = Sockets::new(&run);
    sender_socket.open(vec![sender], &mut histogram()).await?;
    let expected = u64::from(broadcasts) * u64::from(connected);
    sockets.wait_for(expected, QUIET_PERIOD).await;
    server.queue_is_empty().await?;
    let after = server.usage();
    let accepted = *accepted.borrow();
    ensure!(accepted == broadcasts, "the server accepted {accepted} of {broadcasts} broadcasts");
    let tally = tally.borrow();
    let notifications = u64::from(broadcasts) * u64::from(members);
    let mut recorder = Recorder::new(metrics, activity);
    recorder.rate(notifications, tally.elapsed_since(began));
    recorder.cpu(before.cpu, after.cpu, notifications);
    recorder.record("broadcasts", f64::from(broadcasts));
    recorder.memory(&after);
    recorder.delivery_errors(expected, &tally);
    Ok(())
}

/// Returns a configuration that names all members and lets any client send to them.
fn config(run: &RunId, members: u32) -> anyhow::Result<String> {
    let mut text = format!("[client_messages]\npolicy = \"anyone\"\n[hubs]\nmembers = [\"{HUB}:");
    for user in 0..members {
        write!(text, " {}", run.user(user))?;
    }
    text.push_str("\"]\n");
    Ok(text)
}

/// Returns the frame of a message to the hub.
fn message_frame(run: &RunId, payload_bytes: usize) -> Template {
    let after = format!(r#","recipient":{{"hub":"{HUB}"}}}}}}"#);
    Template::payload(run, payload_bytes)
        .framed(br#"{"action":"message","data":{"content":"#, after.as_bytes())
}

/// Creates the client that sends, a user who is not a member.
async fn sender(
    server: &Server,
    run: &RunId,
    members: u32,
    protocol: Broadcaster,
) -> anyhow::Result<Receiver> {
    let address = Address::of(server.target())?;
    let mut tokens = tokens::fetch(server.target(), vec![run.user(members)]).await?;
    let token = tokens.pop().context("the server issued no token")?;
    let path = format!("{}/ws?token={token}", address.prefix);
    Ok(Receiver::new(Handshake::websocket(&address.host, path), protocol))
}

/// Sends broadcasts to the hub, each after the one before is accepted and the window has room.
struct Broadcaster {
    frame: Template,
    broadcasts: u32,
    next: u32,
    window: Arc<Window>,
    accepted: Rc<RefCell<u32>>,
    /// Time of the next look at a full window.
    due: Option<Instant>,
}

impl Broadcaster {
    fn send_next(&mut self, out: &mut Vec<u8>) {
        self.due = None;
        if self.next == self.broadcasts {
            return;
        }
        if self.window.is_full() {
            self.due = Some(Instant::now() + POLL);
            return;
        }
        self.frame.write(now(), self.next, out);
        self.next += 1;
        self.window.add_sent(1);
    }
}

impl Protocol for Broadcaster {
    fn opcode(&self) -> Opcode {
        Opcode::Text
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        self.send_next(out);
    }

    fn feed(&mut self, bytes: &[u8], _: &mut ArrivalCounter, out: &mut Vec<u8>) -> ControlFlow<()> {
        let contains = |text: &[u8]| memmem::find(bytes, text).is_some();
        if !contains(br#""type":"sent""#) || contains(br#""accepted":false"#) {
            return ControlFlow::Break(());
        }
        *self.accepted.borrow_mut() += 1;
        self.send_next(out);
        ControlFlow::Continue(())
    }

    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn tick(&mut self, out: &mut Vec<u8>) {
        self.send_next(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_names_all_members() {
        let run = RunId::new();
        let text = config(&run, 3).unwrap();
        let last = run.user(2);
        assert!(text.ends_with(&format!(" {last}\"]\n")), "{text}");
    }

    #[test]
    fn next_broadcast_waits_for_the_window() {
        let run = RunId::new();
        let window = Window::with_copies(1, 2);
        let mut broadcaster = Broadcaster {
            frame: message_frame(&run, 100),
            broadcasts: 2,
            next: 0,
            window: Arc::clone(&window),
            accepted: Rc::default(),
            due: None,
        };
        let mut out = Vec::new();
        broadcaster.open(&mut out);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["data"]["recipient"]["hub"], HUB);
        out.clear();
        broadcaster.send_next(&mut out);
        assert_eq!((out.len(), broadcaster.due().is_some()), (0, true));
        window.arrivals.store(2, std::sync::atomic::Ordering::Relaxed);
        broadcaster.tick(&mut out);
        assert_eq!((out.is_empty(), broadcaster.due().is_some()), (false, false));
        out.clear();
        window.arrivals.store(4, std::sync::atomic::Ordering::Relaxed);
        broadcaster.tick(&mut out);
        assert!(out.is_empty());
    }
}
