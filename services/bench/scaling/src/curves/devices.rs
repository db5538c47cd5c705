//! More devices of each user.

use super::online::{self, Online};
use super::{Point, each, too_many};
use crate::scale::Scale;
use crate::world::World;

pub(super) async fn run(world: &World, devices: u32, scale: &Scale) -> anyhow::Result<Point> {
    let mut point = Point::default();
    let users = scale.devices_users;
    if let Some(reason) = too_many(users * devices)? {
        point.left_out.push(format!("all of it: {reason}"));
        return Ok(point);
    }
    let messages = each(scale.devices_total, users);
    let online = Online { users, devices, messages, payload_bytes: scale.payload_bytes };
    online::run(world, &online, "online", &mut point.figures).await?;
    if let Some(micros) = point.figures.get("online.cpuMicros") {
        point.figures.insert("online.cpuMicrosPerPush".to_owned(), micros / f64::from(devices.max(1)));
    }
    Ok(point)
}
