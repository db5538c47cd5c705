//! Larger payloads.

use crate::loads::offline::{self, Offline};
use crate::loads::online::{self, Online};
use crate::outcome::Outcome;
use crate::scale::Scale;
use crate::server::Server;

pub(super) async fn measure(server: &Server, bytes: u32, scale: &Scale) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let fit = u32::try_from(scale.payload_total_bytes / u64::from(bytes.max(1))).unwrap_or(u32::MAX);
    let users = scale.payload_users;
    let messages = (scale.payload_total.min(fit) / users).max(1);
    let payload_bytes = usize::try_from(bytes)?;
    let load = Offline { users, messages, payload_bytes };
    offline::run(server, &load, scale.connections, &mut outcome.metrics).await?;
    let load = Online { users, devices: 1, messages, payload_bytes };
    online::run(server, &load, "online", &mut outcome.metrics).await?;
    for activity in ["accept", "replay", "online"] {
        if let Some(micros) = outcome.metrics.get(&format!("{activity}.cpuMicros")) {
            let per_kib = micros * 1_024.0 / f64::from(bytes.max(1));
            outcome.metrics.insert(format!("{activity}.cpuMicrosPerKib"), per_kib);
        }
    }
    Ok(outcome)
}
