//! What the dispatcher measures.

use metrics::{Unit, describe_counter, describe_histogram};

/// Tells the recorder the units of the dispatcher's metrics and what they are.
pub fn describe_metrics() {
    for (name, description) in [
        ("tidings_delivered_total", "notifications pushed to a user for the first time"),
        ("tidings_replayed_total", "held notifications pushed"),
        ("tidings_held_total", "notifications put into a mailbox because they could not be pushed at once"),
        ("tidings_expired_total", "notifications that expired before they could be pushed"),
        (
            "tidings_dropped_total",
            "notifications dropped because nobody was there and they are not to be held",
        ),
        ("tidings_gone_total", "connections found gone"),
        ("tidings_fanned_out_total", "notifications that broadcasts became, one for each member"),
        ("tidings_history_failed_total", "entries of the history that were lost"),
        ("tidings_dead_letters_total", "entries that can never succeed, by reason"),
    ] {
        describe_counter!(name, Unit::Count, description);
    }
    describe_histogram!(
        "tidings_push_latency_seconds",
        Unit::Seconds,
        "from the sending of a notification that was not held to its push"
    );
}

/// Counts entries of the history that could not be recorded.
pub fn count_history_failed(entries: usize) {
    metrics::counter!("tidings_history_failed_total").increment(entries as u64);
}
