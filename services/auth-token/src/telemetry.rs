//! Metrics of issuer and authorizer.

use metrics::{Unit, describe_counter};

/// Registers the descriptions and units of the metrics with the recorder.
pub fn describe_metrics() {
    for (name, description) in [
        ("tidings_tokens_issued_total", "connect tokens issued"),
        ("tidings_handshakes_accepted_total", "handshakes accepted, by method"),
        ("tidings_handshakes_refused_total", "handshakes refused, by reason"),
        ("tidings_handshake_fetches_total", "key sets and secrets fetched for handshakes, by outcome"),
    ] {
        describe_counter!(name, Unit::Count, description);
    }
}
