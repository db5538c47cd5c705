//! What the replayer measures.

use metrics::{Unit, describe_counter};

/// Tells the recorder the units of the replayer's metrics and what they are.
pub fn describe_metrics() {
    for (name, description) in [
        ("tidings_replays_requeued_total", "replay entries sent"),
        ("tidings_replay_retries_total", "waits after a failure"),
        ("tidings_replays_failed_total", "mailboxes that could not be requeued as a whole"),
    ] {
        describe_counter!(name, Unit::Count, description);
    }
}
