//! What happens to notifications when something fails.

use std::rc::Rc;
use std::time::Duration;

use bench_load::message::now;
use bench_load::{Door, Pace, Run, Sockets, Tally};

use super::{Entry, Figures, Scale, quiet};
use crate::world::{World, seen};

/// Held for each user before a fault.
const BEFORE: u32 = 100;
/// Sent to each while they are away.
const AFTER: u32 = 10;

/// The server is killed once it has accepted everything, and started again.
pub(super) async fn crash(world: &mut World, scale: &Scale) -> anyhow::Result<Figures> {
    let run = Run::new();
    let users = scale.failing_users;
    world.prepare(&run, users).await?;
    let burst = Scale::burst(users, BEFORE, world.system.offline_producers());
    let sent = world.send(&run, burst).await?;
    let began = now();
    world.crash()?;
    let restarted = now();
    let mut sockets = Sockets::new(&run);
    world.open(&mut sockets, &run, users, |_, door| door).await?;
    sockets.drain(sent.accepted, quiet(world.system)).await;
    let mut figures = Figures::new();
    let mut entry = Entry { figures: &mut figures, under: "crash" };
    entry.add("restartSeconds", seconds(began, restarted));
    entry.soundness(sent.accepted, &sockets.tally.borrow());
    Ok(figures)
}

/// All connections drop when a third of what is held has come; more is sent; then all connect again.
pub(super) async fn interrupted(world: &World, scale: &Scale) -> anyhow::Result<Figures> {
    let run = Run::new();
    let users = scale.failing_users;
    world.prepare(&run, users).await?;
    let burst = Scale::burst(users, BEFORE, world.system.offline_producers());
    let before = world.send(&run, burst.clone()).await?;
    let (seen, tally) = (seen(users), Tally::new());
    let come = before.accepted / 3;
    let remember = |user: u32, door| Door { seen: Rc::clone(&seen[user as usize]), ..door };

    let mut sockets = Sockets::with_tally(&run, Rc::clone(&tally));
    let leave = |user, door| Door { leave_after: Some(come), ..remember(user, door) };
    world.open(&mut sockets, &run, users, leave).await?;
    sockets.drain(come, quiet(world.system)).await;
    // Closed with what they have not read in them.
    drop(sockets);

    let more = Pace { messages: Some(AFTER), first_number: BEFORE, ..burst };
    let after = world.send(&run, more).await?;
    tally.borrow_mut().lost = 0;
    let began = now();
    let mut sockets = Sockets::with_tally(&run, Rc::clone(&tally));
    world.open(&mut sockets, &run, users, remember).await?;
    let expected = before.accepted + after.accepted;
    sockets.drain(expected, quiet(world.system)).await;
    let mut figures = Figures::new();
    let mut entry = Entry { figures: &mut figures, under: "interrupted" };
    let tally = tally.borrow();
    entry.add("seconds", seconds(began, tally.last));
    let unordered = seen.iter().filter(|seen| seen.borrow().reordered > 0).count();
    entry.add("usersOutOfOrder", unordered as f64);
    entry.add("users", f64::from(users));
    entry.soundness(expected, &tally);
    Ok(figures)
}

/// Many for one user, who then connects.
pub(super) async fn held(world: &World, scale: &Scale) -> anyhow::Result<Figures> {
    let run = Run::new();
    world.prepare(&run, 1).await?;
    let sent =
        world.send(&run, Scale::burst(1, scale.held_for_one, world.system.offline_producers())).await?;
    let mut sockets = Sockets::new(&run);
    let began = now();
    world.open(&mut sockets, &run, 1, |_, door| door).await?;
    sockets.drain(sent.accepted, quiet(world.system)).await;
    let tally = sockets.tally.borrow();
    let mut figures = Figures::new();
    let mut entry = Entry { figures: &mut figures, under: "held" };
    entry.add("seconds", seconds(began, tally.last));
    entry.soundness(sent.accepted, &tally);
    Ok(figures)
}

fn seconds(from: u64, to: u64) -> f64 {
    Duration::from_nanos(to.saturating_sub(from)).as_secs_f64()
}
