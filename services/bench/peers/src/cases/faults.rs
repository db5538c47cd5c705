//! Notifications while something fails: the server, connections, or a very full mailbox.

use std::rc::Rc;
use std::time::Duration;

use bench_kit::{Metrics, Recorder};
use bench_load::clock::now;
use bench_load::{Receiver, RunId, Sockets, Tally, Workload};

use crate::scale::{Scale, burst};
use crate::server::Server;

/// Notifications held for each user before the fault.
const BEFORE: u32 = 100;
/// Notifications sent to each user after the connections dropped.
const AFTER: u32 = 10;

/// Kills the server once it has accepted all notifications, restarts it, and connects all users.
pub(super) async fn crash(server: &mut Server, scale: &Scale) -> anyhow::Result<Metrics> {
    let run = RunId::new();
    let users = scale.failing_users;
    server.prepare(&run, users).await?;
    let sent = server.send(&run, burst(users, BEFORE, server.system.offline_producers())).await?;
    let began = now();
    server.crash()?;
    let restarted = now();
    server.prepare_again(&run, users).await?;
    let mut sockets = Sockets::new(&run);
    server.open(&mut sockets, &run, 0..users, |_, receiver| receiver).await?;
    sockets.wait_for(sent.accepted, server.system.quiet_period()).await;
    let mut metrics = Metrics::new();
    let mut recorder = Recorder::new(&mut metrics, "crash");
    let down = Duration::from_nanos(restarted.saturating_sub(began));
    recorder.record("restartSeconds", down.as_secs_f64());
    recorder.delivery_errors(sent.accepted, &sockets.tally.borrow());
    Ok(metrics)
}

/// Drops all connections when a third of the held notifications have arrived, sends more, and connects all
/// users again.
pub(super) async fn interrupted(server: &Server, scale: &Scale) -> anyhow::Result<Metrics> {
    let run = RunId::new();
    let users = scale.failing_users;
    server.prepare(&run, users).await?;
    let workload = burst(users, BEFORE, server.system.offline_producers());
    let before = server.send(&run, workload.clone()).await?;
    let received: Vec<Rc<_>> = (0..users).map(|_| Rc::default()).collect();
    let tally = Tally::new();
    let third = before.accepted / 3;
    let remembering =
        |user: u32, receiver| Receiver { received: Rc::clone(&received[user as usize]), ..receiver };

    let mut sockets = Sockets::with_tally(&run, Rc::clone(&tally));
    let leaving = |user, receiver| Receiver { leave_after: Some(third), ..remembering(user, receiver) };
    server.open(&mut sockets, &run, 0..users, leaving).await?;
    sockets.wait_for(third, server.system.quiet_period()).await;
    // Closes the connections with unread data in them.
    drop(sockets);

    let more = Workload { messages: Some(AFTER), first_number: BEFORE, ..workload };
    let after = server.send(&run, more).await?;
    tally.borrow_mut().connections_lost = 0;
    let began = now();
    let mut sockets = Sockets::with_tally(&run, Rc::clone(&tally));
    server.open(&mut sockets, &run, 0..users, remembering).await?;
    let expected = before.accepted + after.accepted;
    sockets.wait_for(expected, server.system.quiet_period()).await;
    let mut metrics = Metrics::new();
    let mut recorder = Recorder::new(&mut metrics, "interrupted");
    let tally = tally.borrow();
    recorder.record("seconds", tally.elapsed_since(began).as_secs_f64());
    let misordered = received.iter().filter(|received| received.borrow().reordered > 0).count();
    recorder.record("usersOutOfOrder", misordered as f64);
    recorder.record("users", f64::from(users));
    recorder.delivery_errors(expected, &tally);
    Ok(metrics)
}

/// Sends many notifications to one disconnected user, and connects the user.
pub(super) async fn held(server: &Server, scale: &Scale) -> anyhow::Result<Metrics> {
    let run = RunId::new();
    server.prepare(&run, 1).await?;
    let workload = burst(1, scale.held_for_one, server.system.offline_producers());
    let sent = server.send(&run, workload).await?;
    let mut sockets = Sockets::new(&run);
    let began = now();
    server.open(&mut sockets, &run, 0..1, |_, receiver| receiver).await?;
    sockets.wait_for(sent.accepted, server.system.quiet_period()).await;
    let tally = sockets.tally.borrow();
    let mut metrics = Metrics::new();
    let mut recorder = Recorder::new(&mut metrics, "held");
    recorder.record("seconds", tally.elapsed_since(began).as_secs_f64());
    recorder.delivery_errors(sent.accepted, &tally);
    Ok(metrics)
}
