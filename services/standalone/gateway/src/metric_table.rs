//! The table of all metrics that a standalone server records.
//!
//! Names follow Prometheus's conventions: base units (`_seconds`, `_bytes`), and `_total` for counters. [`describe`]
//! registers type, unit and help text with the recorder, so that `/metrics` has them, and
//! [`reference`](crate::reference) makes the page of the documentation from the same table.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows while the process runs.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// The distribution of measured values.
    Histogram,
}

impl Kind {
    /// Returns the type's name in Prometheus's text format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// The unit of the values: seconds, or a count.
    pub unit: Unit,
    /// Names of the labels.
    pub labels: &'static [&'static str],
    /// The meaning, as a phrase in Markdown.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Unit::Count, labels, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Count, labels: &[], help }
}

const fn histogram(name: &'static str, unit: Unit, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, unit, labels: &[], help }
}

/// All metrics, in the order of their names.
pub const METRICS: &[Metric] = &[
    counter("tidings_accepted_total", &[], "notifications accepted, those of broadcasts included"),
    counter(
        "tidings_address_limits_total",
        &["limit"],
        "connections, handshakes and requests refused because of the limits of their address, by limit",
    ),
    counter(
        "tidings_broadcasts_refused_total",
        &[],
        "broadcasts refused because too many of their sender, or of all, are waiting",
    ),
    histogram(
        "tidings_commit_notifications",
        Unit::Count,
        "notifications written by one commit of the store",
    ),
    histogram("tidings_commit_seconds", Unit::Seconds, "duration of a commit of the store, sync included"),
    counter("tidings_connections_closed_total", &[], "connections whose end was reported"),
    counter("tidings_connections_ended_total", &["reason"], "connections that the server ended, by reason"),
    counter("tidings_connections_opened_total", &[], "connections admitted"),
    counter("tidings_connections_refused_total", &[], "handshakes refused or failed after authorization"),
    gauge("tidings_dead_letters", "dead letters in the store"),
    counter("tidings_dead_letters_total", &[], "notifications that became dead letters"),
    counter(
        "tidings_deduplication_forgotten_total",
        &["sender"],
        "ids removed from deduplication before their time because there were too many",
    ),
    counter("tidings_delivered_total", &[], "notifications pushed to a user for the first time"),
    counter(
        "tidings_disk_full_total",
        &["sender"],
        "requests refused because too little of the disk is free, by kind of sender: producer or client",
    ),
    counter(
        "tidings_dropped_total",
        &[],
        "notifications that are not to be held, dropped because the user was offline",
    ),
    counter(
        "tidings_duplicates_total",
        &[],
        "notifications with a repeated id, which are not delivered again",
    ),
    counter("tidings_expired_total", &[], "notifications that expired before they could be pushed"),
    counter("tidings_fanned_out_total", &[], "notifications made from broadcasts, one for each member"),
    counter("tidings_frames_refused_total", &["code"], "clients' frames refused, by error code"),
    counter(
        "tidings_full_tables_total",
        &["table"],
        "requests refused because a table with a fixed bound is full, by table: `connect-tokens`, `password-hashes`, \
         `revocations`, `tracked-notifications` or `used-signatures`",
    ),
    counter("tidings_gone_total", &[], "connections found closed by a push"),
    counter("tidings_handshake_fetches_total", &["outcome"], "key sets and secrets fetched for handshakes"),
    counter("tidings_handshakes_accepted_total", &["method"], "handshakes accepted, by method"),
    counter("tidings_handshakes_refused_total", &["reason"], "handshakes refused, by reason"),
    counter(
        "tidings_held_total",
        &[],
        "notifications put into a mailbox because they could not be pushed at once",
    ),
    counter("tidings_history_failed_total", &[], "history entries that could not be recorded"),
    counter(
        "tidings_history_payloads_left_out_total",
        &[],
        "history entries of clients' messages without payload because of `history.payload_bytes_per_client`",
    ),
    counter(
        "tidings_http_connections_late_total",
        &["limit"],
        "connections closed because a head did not arrive or an answer was not read in time, by limit",
    ),
    counter(
        "tidings_http_connections_refused_total",
        &[],
        "connections closed at once because of `server.max_http_connections` or the limit of open files",
    ),
    counter(
        "tidings_key_bodies_refused_total",
        &[],
        "bodies of authenticated requests refused because of `limits.key_body_bytes`",
    ),
    counter(
        "tidings_mailbox_quota_refused_total",
        &[],
        "messages of clients refused because of `client_messages.quota_per_mailbox`",
    ),
    counter(
        "tidings_messages_sent_total",
        &["action"],
        "recipients for whom a client's message was queued, by action",
    ),
    counter("tidings_notifications_acknowledged_total", &[], "notifications acknowledged by clients"),
    gauge("tidings_open_connections", "open WebSockets"),
    counter(
        "tidings_open_files_refused_total",
        &[],
        "handshakes refused because WebSockets have taken their share of the open files",
    ),
    counter(
        "tidings_presence_notices_lost_total",
        &[],
        "notices of who comes and goes that could not be queued, for example because 1,000 wait",
    ),
    histogram(
        "tidings_push_latency_seconds",
        Unit::Seconds,
        "time from the send time of a notification that was not held to its push",
    ),
    gauge("tidings_queued_users", "users with notifications that are ready to be dispatched"),
    counter(
        "tidings_quotas_reached_total",
        &["limit"],
        "requests refused because a rate or quota of a key, a user, an account or an address was used up, by limit",
    ),
    counter(
        "tidings_rate_windows_removed_total",
        &[],
        "little used windows of rate limits removed before their end because there were too many",
    ),
    counter("tidings_replay_retries_total", &[], "waits after a failed attempt to requeue a mailbox"),
    counter("tidings_replayed_total", &[], "held notifications pushed"),
    counter("tidings_replays_failed_total", &[], "mailboxes that could not be requeued completely"),
    counter("tidings_replays_requeued_total", &[], "replay entries sent"),
    counter("tidings_security_events_total", &["event"], "events of the security log, by kind"),
    counter("tidings_store_failures_total", &[], "failed writes of the store"),
    counter("tidings_store_mark_failures_total", &[], "failed writes of the store's durable marker"),
    counter("tidings_store_read_failures_total", &[], "failed reads of the store"),
    counter(
        "tidings_tls_reloads_total",
        &["outcome"],
        "readings of the TLS certificate and its key after the start; those that failed left the former in use",
    ),
    counter("tidings_tokens_issued_total", &[], "connect tokens issued"),
    counter(
        "tidings_unknown_bodies_refused_total",
        &[],
        "bodies refused because of `limits.unknown_body_bytes`, before their senders were known",
    ),
];

/// Registers type, unit and help text of all metrics with the installed recorder.
pub fn describe() {
    for Metric { name, kind, unit, help, .. } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *unit, *help),
            Kind::Gauge => describe_gauge!(*name, *unit, *help),
            Kind::Histogram => describe_histogram!(*name, *unit, *help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_prometheus_conventions() {
        for Metric { name, kind, unit, .. } in METRICS {
            assert!(name.starts_with("tidings_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), *unit == Unit::Seconds, "{name}");
        }
        assert!(METRICS.is_sorted_by(|a, b| a.name < b.name));
    }
}
