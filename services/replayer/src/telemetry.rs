//! The replayer's metrics.

use metrics::{Unit, describe_counter};

/// Registers unit and description of the replayer's metrics with the recorder.
pub fn describe_metrics() {
    for (name, description) in [
        ("tidings_replays_requeued_total", "replay entries sent"),
        ("tidings_replay_retries_total", "waits after a failed attempt"),
        ("tidings_replays_failed_total", "mailboxes not requeued completely"),
    ] {
        describe_counter!(name, Unit::Count, description);
    }
}
