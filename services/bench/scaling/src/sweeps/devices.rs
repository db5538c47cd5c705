//! More devices of each user.

use crate::loads::online::{self, Online};
use crate::outcome::{Outcome, connection_limit};
use crate::scale::{Scale, per_user};
use crate::server::Server;

pub(super) async fn measure(server: &Server, devices: u32, scale: &Scale) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let users = scale.devices_users;
    if let Some(reason) = connection_limit(users * devices)? {
        outcome.not_measured.push(format!("the whole point: {reason}"));
        return Ok(outcome);
    }
    let messages = per_user(scale.devices_total, users);
    let load = Online { users, devices, messages, payload_bytes: scale.payload_bytes };
    online::run(server, &load, "online", &mut outcome.metrics).await?;
    if let Some(micros) = outcome.metrics.get("online.cpuMicros") {
        let per_push = micros / f64::from(devices.max(1));
        outcome.metrics.insert("online.cpuMicrosPerPush".to_owned(), per_push);
    }
    Ok(outcome)
}
