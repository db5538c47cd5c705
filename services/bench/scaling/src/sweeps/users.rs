//! More users, who share a fixed number of notifications.

use crate::loads::offline::{self, Offline};
use crate::loads::online::{self, Online};
use crate::outcome::{Outcome, connection_limit};
use crate::scale::{Scale, per_user};
use crate::server::Server;

pub(super) async fn measure(server: &Server, users: u32, scale: &Scale) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let (messages, payload_bytes) = (per_user(scale.users_total, users), scale.payload_bytes);
    let load = Offline { users, messages, payload_bytes };
    offline::run(server, &load, scale.connections, &mut outcome.metrics).await?;
    if let Some(reason) = connection_limit(users)? {
        outcome.not_measured.push(format!("online: {reason}"));
    } else {
        let load = Online { users, devices: 1, messages, payload_bytes };
        online::run(server, &load, "online", &mut outcome.metrics).await?;
    }
    Ok(outcome)
}
