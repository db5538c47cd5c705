//! Notifications to users who are connected.

use std::time::Duration;

use bench_load::message::now;
use bench_load::{Latency, Pace, Run, Sockets, Tally, Window};

use super::{Entry, Figures, Scale, quiet};
use crate::world::World;

/// The server may still be at work on what connecting entails.
const SETTLE: Duration = Duration::from_millis(200);

pub(super) async fn run(world: &World, scale: &Scale) -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    let most = rate(world, scale, None, "online", &mut figures).await?;
    rate(world, scale, Some(scale.rate), "steady", &mut figures).await?;
    rate(world, scale, Some(most / 2.0), "half", &mut figures).await?;
    Ok(figures)
}

/// Sends at a rate, or with as many on their way as the window has; gives how many arrived a second.
async fn rate(
    world: &World,
    scale: &Scale,
    rate: Option<f64>,
    under: &str,
    figures: &mut Figures,
) -> anyhow::Result<f64> {
    let run = Run::new();
    let window = Window::new(u64::from(scale.users) * u64::from(scale.window));
    let mut sockets = Sockets::with_tally(&run, Tally::with_arrivals(window.arrivals.clone()));
    world.prepare(&run, scale.users).await?;
    world.open(&mut sockets, &run, scale.users, |_, door| door).await?;
    tokio::time::sleep(SETTLE).await;
    let (before, began) = (world.usage(), now());
    let (producers, batch) = world.system.online_producers();
    let pace = Pace {
        users: scale.users,
        producers,
        batch,
        messages: None,
        duration: Some(scale.duration()),
        rate,
        first_number: 0,
        window: rate.is_none().then_some(window),
    };
    let sent = world.send(&run, pace).await?;
    let expected = sent.deliveries(scale.users);
    sockets.drain(expected, quiet(world.system)).await;
    let after = world.usage();
    let tally = sockets.tally.borrow();
    let took = Duration::from_nanos(tally.last.saturating_sub(began));
    let per_second = tally.received as f64 / took.as_secs_f64().max(f64::EPSILON);
    let mut entry = Entry { figures, under };
    entry.add("perSecond", per_second);
    entry.cpu(before.cpu, after.cpu, tally.received);
    entry.add("rssBytes", after.rss_bytes as f64);
    if rate.is_some() {
        entry.latency(Latency::of(&tally.latency));
        entry.typical(&tally);
        entry.add("lateP99Micros", sent.lateness.value_at_quantile(0.99) as f64);
    }
    entry.soundness(expected, &tally);
    Ok(per_second)
}
