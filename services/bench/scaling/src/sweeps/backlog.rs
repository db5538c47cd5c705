//! More notifications held for each user.

use crate::loads::offline::{self, Offline};
use crate::outcome::Outcome;
use crate::scale::{Scale, per_user};
use crate::server::Server;

pub(super) async fn measure(server: &Server, messages: u32, scale: &Scale) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let users = per_user(scale.backlog_total, messages).min(scale.backlog_users);
    let load = Offline { users, messages, payload_bytes: scale.payload_bytes };
    offline::run(server, &load, scale.connections, &mut outcome.metrics).await?;
    Ok(outcome)
}
