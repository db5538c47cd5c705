//! More users who get the same in all.

use super::offline::{self, Held};
use super::online::{self, Online};
use super::{Point, each, too_many};
use crate::scale::Scale;
use crate::world::World;

pub(super) async fn run(world: &World, users: u32, scale: &Scale) -> anyhow::Result<Point> {
    let mut point = Point::default();
    let (messages, payload_bytes) = (each(scale.users_total, users), scale.payload_bytes);
    let held = Held { users, messages, payload_bytes };
    offline::run(world, &held, scale.connections, &mut point.figures).await?;
    if let Some(reason) = too_many(users)? {
        point.left_out.push(format!("online: {reason}"));
    } else {
        let online = Online { users, devices: 1, messages, payload_bytes };
        online::run(world, &online, "online", &mut point.figures).await?;
    }
    Ok(point)
}
