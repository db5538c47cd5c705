//! The dispatcher's metrics.

use metrics::{Unit, describe_counter, describe_histogram};

/// Registers unit and description of the dispatcher's metrics with the recorder.
pub fn describe_metrics() {
    for (name, description) in [
        ("tidings_delivered_total", "notifications pushed to a user for the first time"),
        ("tidings_replayed_total", "held notifications pushed"),
        ("tidings_held_total", "notifications put into a mailbox because they could not be pushed at once"),
        ("tidings_expired_total", "notifications that expired before they could be pushed"),
        (
            "tidings_dropped_total",
            "notifications that are not to be held, dropped because the user was offline",
        ),
        ("tidings_gone_total", "connections found closed"),
        ("tidings_fanned_out_total", "notifications made from broadcasts, one for each member"),
        ("tidings_history_failed_total", "history rows that could not be recorded"),
        ("tidings_forwarded_total", "queue entries forwarded to the queue of their user or hub"),
        ("tidings_dead_letters_total", "queue entries that can never succeed, by reason"),
    ] {
        describe_counter!(name, Unit::Count, description);
    }
    describe_histogram!(
        "tidings_push_latency_seconds",
        Unit::Seconds,
        "time from the send time of a notification that was not held to its push"
    );
}

/// Counts history rows that could not be recorded.
pub fn count_history_failed(rows: usize) {
    metrics::counter!("tidings_history_failed_total").increment(rows as u64);
}
