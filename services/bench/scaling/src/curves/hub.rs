//! Larger hubs: what one member sends reaches all others, who are connected, or who are members by the operator's word
//! and are not.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bench_kit::{Entry, Figures, tidings};
use bench_load::http::Address;
use bench_load::message::now;
use bench_load::{
    Arrivals, Door, Handshake, Opcode, Protocol, Run, Sockets, Tally, Template, Window, tokens,
};
use memchr::memmem;
use tokio::time::Instant;

use super::online::QUIET;
use super::{Point, too_many};
use crate::scale::Scale;
use crate::world::World;

/// The hub's name.
const HUB: &str = "team";
/// Connected members where the others are not.
const FEW: u32 = 5;
/// Broadcasts of a point: a server keeps ten thousand waiting at most, and one alone says little.
const MOST: u32 = 3_000;
const LEAST: u32 = 5;
/// Notifications on their way to connected members at most, but never fewer than two broadcasts make.
const WINDOW: u32 = 20_000;
/// How soon it is looked again whether there is room.
const SOON: Duration = Duration::from_millis(1);

pub(super) async fn run(program: &Path, members: u32, scale: &Scale) -> anyhow::Result<Point> {
    let mut point = Point::default();
    let broadcasts = (scale.hub_total / members.max(1)).clamp(LEAST, MOST);
    match too_many(members)? {
        Some(reason) => point.left_out.push(format!("all members connected: {reason}")),
        None => measure(program, (members, members), broadcasts, scale, "connected", &mut point).await?,
    }
    measure(program, (members, members.min(FEW)), broadcasts, scale, "away", &mut point).await?;
    Ok(point)
}

async fn measure(
    program: &Path,
    (members, connected): (u32, u32),
    broadcasts: u32,
    scale: &Scale,
    under: &str,
    point: &mut Point,
) -> anyhow::Result<()> {
    let run = Run::new();
    let world = World::start(program, Some(&config(&run, members)?))?;
    let window = Window::of_copies(u64::from((WINDOW / connected).max(2)), connected.into());
    let tally = Tally::with_arrivals(Arc::clone(&window.arrivals));
    let mut sockets = Sockets::with_tally(&run, Rc::clone(&tally));
    let users: Vec<u32> = (0..connected).collect();
    tidings::open(&mut sockets, &users, async |wave| world.doors(&run, wave).await).await?;
    world.settled().await?;

    let accepted = Rc::<RefCell<u32>>::default();
    let broadcaster = Broadcaster {
        frame: frame(&run, scale.payload_bytes),
        broadcasts,
        next: 0,
        window,
        accepted: Rc::clone(&accepted),
        due: None,
    };
    let door = sender(&world, &run, members, broadcaster).await?;
    let (before, began) = (world.usage(), now());
    // Its frames are not the members'.
    let mut sending = Sockets::new(&run);
    sending.open(vec![door], &mut Sockets::times()).await?;
    let expected = u64::from(broadcasts) * u64::from(connected);
    sockets.drain(expected, QUIET).await;
    world.settled().await?;
    let after = world.usage();
    ensure!(*accepted.borrow() == broadcasts, "{} of {broadcasts} were accepted", accepted.borrow());
    let tally = tally.borrow();
    let took = Duration::from_nanos(tally.last.saturating_sub(began)).as_secs_f64().max(f64::EPSILON);
    let each = u64::from(broadcasts) * u64::from(members);
    let figures: &mut Figures = &mut point.figures;
    let mut entry = Entry { figures, under };
    entry.add("perSecond", each as f64 / took);
    entry.cpu(before.cpu, after.cpu, each);
    entry.add("broadcasts", f64::from(broadcasts));
    entry.add("rssBytes", after.rss_bytes as f64);
    entry.soundness(expected, &tally);
    Ok(())
}

/// The server's configuration: all members by its word, and anyone may send to them.
fn config(run: &Run, members: u32) -> anyhow::Result<String> {
    let mut text = format!("[sending]\npolicy = \"anyone\"\n[hubs]\nmembers = [\"{HUB}:");
    for user in 0..members {
        write!(text, " {}", run.user(user))?;
    }
    text.push_str("\"]\n");
    Ok(text)
}

/// What a client sends to the hub.
fn frame(run: &Run, payload_bytes: usize) -> Template {
    let after = format!(r#","recipient":{{"hub":"{HUB}"}}}}}}"#);
    Template::payload(run, payload_bytes)
        .framed(br#"{"action":"message","data":{"content":"#, after.as_bytes())
}

/// How the one gets in who sends: it is no member.
async fn sender(world: &World, run: &Run, members: u32, protocol: Broadcaster) -> anyhow::Result<Door> {
    let address = Address::of(world.target())?;
    let token = tokens::fetch(world.target(), vec![run.user(members)]).await?.pop().context("no token")?;
    let path = format!("{}/ws?token={token}", address.prefix);
    Ok(Door::new(Handshake::websocket(&address.host, path), protocol))
}

/// Sends to a hub, one message after the other: the next when the one before is accepted and there is room.
struct Broadcaster {
    frame: Template,
    broadcasts: u32,
    next: u32,
    window: Arc<Window>,
    accepted: Rc<RefCell<u32>>,
    /// When it is looked again whether there is room.
    due: Option<Instant>,
}

impl Broadcaster {
    fn go_on(&mut self, out: &mut Vec<u8>) {
        self.due = None;
        if self.next == self.broadcasts {
            return;
        }
        if self.window.is_full() {
            self.due = Some(Instant::now() + SOON);
            return;
        }
        self.frame.write(now(), self.next, out);
        self.next += 1;
        self.window.sent(1);
    }
}

impl Protocol for Broadcaster {
    fn opcode(&self) -> Opcode {
        Opcode::Text
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        self.go_on(out);
    }

    fn feed(&mut self, bytes: &[u8], _: &mut Arrivals, out: &mut Vec<u8>) -> ControlFlow<()> {
        let is = |text: &[u8]| memmem::find(bytes, text).is_some();
        if !is(br#""type":"sent""#) || is(br#""accepted":false"#) {
            return ControlFlow::Break(());
        }
        *self.accepted.borrow_mut() += 1;
        self.go_on(out);
        ControlFlow::Continue(())
    }

    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn tick(&mut self, out: &mut Vec<u8>) {
        self.go_on(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_all_members() {
        let run = Run::new();
        let text = config(&run, 3).unwrap();
        let last = run.user(2);
        assert!(text.ends_with(&format!(" {last}\"]\n")), "{text}");
    }

    #[test]
    fn the_next_is_sent_when_there_is_room() {
        let run = Run::new();
        let window = Window::of_copies(1, 2);
        let mut broadcaster = Broadcaster {
            frame: frame(&run, 100),
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
        broadcaster.go_on(&mut out);
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
