//! The metrics of the edge.

use metrics::{Unit, describe_counter};

/// Registers the unit and description of each of the edge's metrics with the installed recorder.
pub fn describe_metrics() {
    for (name, description) in [
        ("tidings_connections_opened_total", "connections admitted"),
        ("tidings_connections_closed_total", "connections whose end was reported"),
        ("tidings_connections_refused_total", "handshakes refused or failed after authorization"),
        ("tidings_notifications_acknowledged_total", "notifications acknowledged by clients"),
        ("tidings_messages_sent_total", "recipients for whom a client's message was queued, by action"),
        ("tidings_presence_notices_lost_total", "notices of who comes and goes that could not be queued"),
        ("tidings_history_failed_total", "history entries that could not be recorded"),
        ("tidings_frames_refused_total", "frames refused, by code"),
    ] {
        describe_counter!(name, Unit::Count, description);
    }
}
