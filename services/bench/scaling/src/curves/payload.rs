//! Larger payloads.

use super::Point;
use super::offline::{self, Held};
use super::online::{self, Online};
use crate::scale::Scale;
use crate::world::World;

pub(super) async fn run(world: &World, bytes: u32, scale: &Scale) -> anyhow::Result<Point> {
    let mut point = Point::default();
    let fit = u32::try_from(scale.payload_total_bytes / u64::from(bytes.max(1))).unwrap_or(u32::MAX);
    let users = scale.payload_users;
    let messages = (scale.payload_total.min(fit) / users).max(1);
    let payload_bytes = usize::try_from(bytes)?;
    let held = Held { users, messages, payload_bytes };
    offline::run(world, &held, scale.connections, &mut point.figures).await?;
    let online = Online { users, devices: 1, messages, payload_bytes };
    online::run(world, &online, "online", &mut point.figures).await?;
    for under in ["accept", "replay", "online"] {
        if let Some(micros) = point.figures.get(&format!("{under}.cpuMicros")) {
            let each = micros * 1_024.0 / f64::from(bytes.max(1));
            point.figures.insert(format!("{under}.cpuMicrosPerKib"), each);
        }
    }
    Ok(point)
}
