//! One user who is sent much and does not read, among many who do.

use bench_load::{Door, Handshake, Latency, Pace, Run, Sockets};

use super::{Entry, Figures, Scale, quiet};
use crate::world::World;

/// The one user's connection buffers that much at its end, and is full at once.
const RECEIVE_BUFFER: u32 = 4_096;
/// As much of the rate as goes to the one user.
const SHARE: f64 = 0.5;

/// The other users' latency, first with the one reading and then without: they are sent the same in both.
pub(super) async fn run(world: &World, scale: &Scale) -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    for (under, reads) in [("allRead", true), ("oneStuck", false)] {
        let (run, flood) = (Run::new(), Run::new());
        let (mut sockets, mut flooded) = (Sockets::new(&run), Sockets::new(&flood));
        world.open(&mut sockets, &run, scale.users, |_, door| door).await?;
        for door in world.doors(&flood, &[0]).await? {
            if reads {
                flooded.open(vec![door], &mut Sockets::times()).await?;
            } else {
                let handshake = Handshake { receive_buffer: Some(RECEIVE_BUFFER), ..door.handshake };
                flooded.open_stuck(Door { handshake, ..door }).await?;
            }
        }
        let pace = |users, producers, rate| Pace {
            duration: Some(scale.duration()),
            rate: Some(rate),
            messages: None,
            ..Scale::burst(users, 0, (producers, 100))
        };
        let (producers, _) = world.system.online_producers();
        let (sent, flood_sent) = tokio::join!(
            world.send(&run, pace(scale.users, producers, scale.rate)),
            world.send_large(&flood, pace(1, 1, scale.rate * SHARE)),
        );
        let (sent, _) = (sent?, flood_sent?);
        let expected = sent.deliveries(scale.users);
        sockets.drain(expected, quiet(world.system)).await;
        let tally = sockets.tally.borrow();
        let mut entry = Entry { figures: &mut figures, under };
        entry.latency(Latency::of(&tally.latency));
        entry.typical(&tally);
        entry.soundness(expected, &tally);
    }
    Ok(figures)
}
