//! What the edge measures.

use metrics::{Unit, describe_counter};

/// Tells the recorder the units of the edge's metrics and what they are.
pub fn describe_metrics() {
    for (name, description) in [
        ("tidings_connections_opened_total", "connections admitted"),
        ("tidings_connections_closed_total", "connections that said they close"),
        ("tidings_connections_refused_total", "handshakes that asked for what is not possible"),
        ("tidings_notifications_acknowledged_total", "notifications acknowledged by clients"),
        ("tidings_messages_sent_total", "recipients of clients' messages that were queued, by action"),
        ("tidings_history_failed_total", "entries of the history that could not be recorded"),
        ("tidings_frames_refused_total", "frames refused, by code"),
    ] {
        describe_counter!(name, Unit::Count, description);
    }
}
