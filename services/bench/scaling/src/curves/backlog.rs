//! More held for each user.

use super::offline::{self, Held};
use super::{Point, each};
use crate::scale::Scale;
use crate::world::World;

pub(super) async fn run(world: &World, messages: u32, scale: &Scale) -> anyhow::Result<Point> {
    let mut point = Point::default();
    let users = each(scale.backlog_total, messages).min(scale.backlog_users);
    let held = Held { users, messages, payload_bytes: scale.payload_bytes };
    offline::run(world, &held, scale.connections, &mut point.figures).await?;
    Ok(point)
}
