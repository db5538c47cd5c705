//! Enforces the time limits of all connections, in one task.

use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use futures_util::future::{join, select};
use shared_ports::{Clock, Moment};
use shared_sync::IgnorePoison as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::entry::Entry;
use super::limits::{BLOCKING_TIMEOUT, RECEIPT_TIMEOUT};
use super::send_queue::End;
use super::{Limits, Registry};

/// Interval of the sweeps, and so the resolution of the time limits.
const INTERVAL: Duration = Duration::from_secs(1);

/// Interval of the beats at which a busy connection asks for receipts. It is short beside the time that a person needs to
/// notice, and long beside that of a push.
const BEAT: Duration = Duration::from_millis(100);

/// Sweeps once a second, and beats the pace of receipts, until `shutdown` completes.
pub async fn run_sweeper(registry: Registry, clock: impl Clock, shutdown: impl Future<Output = ()>) {
    let sweeps = async {
        loop {
            registry.sweep(clock.now(), clock.moment());
            clock.sleep(INTERVAL).await;
        }
    };
    let beats = async {
        loop {
            registry.0.first_asked.notified().await;
            clock.sleep(BEAT).await;
            registry.beat();
        }
    };
    // Neither of the loops ends.
    select(pin!(join(sweeps, beats)), pin!(shutdown)).await;
}

/// The action due for a connection.
enum Due {
    Ping,
    End(End, &'static str),
}

impl Registry {
    /// Beats the pace of receipts for the connections that asked for one since the last beat.
    pub fn beat(&self) {
        let asked = mem::take(&mut *self.0.asked.lock().ignore_poison());
        for entry in asked {
            entry.send_queue.beat();
        }
    }

    /// Enforces the time limits: pings silent clients, and closes connections that are gone, stuck, idle, expired or too
    /// old. Only the expiry of a credential depends on the time `now`, which may jump; all else is measured by `moment`.
    pub fn sweep(&self, now: Timestamp, moment: Moment) {
        self.0.now.store(now.millis(), Ordering::Relaxed);
        self.0.moment.fetch_max(moment.millis(), Ordering::Relaxed);
        let (mut found, mut blocking) = (Vec::new(), Vec::new());
        self.0.table.for_each(|entry| {
            if entry.send_queue.blocked_since().is_some_and(|since| moment.since(since) >= BLOCKING_TIMEOUT) {
                blocking.push(entry.clone());
            }
            found.extend(due(entry, &self.0.limits, now, moment).map(|due| (entry.clone(), due)));
        });
        blocking.retain(|entry| self.0.table.has_other(entry));
        found.retain(|(entry, _)| !blocking.iter().any(|blocking| Arc::ptr_eq(entry, blocking)));
        found.extend(blocking.into_iter().map(|entry| (entry, Due::End(End::Drop, "stuck"))));
        // Sorted, because the order of a hash map differs between processes.
        found.sort_unstable_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
        for (entry, due) in found {
            match due {
                Due::Ping => entry.send_queue.ping(moment),
                Due::End(end, why) => {
                    metrics::counter!("tidings_connections_ended_total", "reason" => why).increment(1);
                    tracing::debug!(connection = %entry.row.connection_id, reason = why, "connection ended");
                    self.retire(&entry, end);
                }
            }
        }
        self.0.closing.lock().ignore_poison().retain(|(since, entry)| {
            // The entry of a closed socket has no other owner.
            let open = Arc::strong_count(entry) > 1;
            let late = moment.since(*since) >= self.0.limits.close_timeout;
            if open && late {
                entry.send_queue.end(End::Drop);
            }
            open && !late
        });
    }
}

/// Returns the action due for a connection.
fn due(entry: &Entry, limits: &Limits, now: Timestamp, moment: Moment) -> Option<Due> {
    let since_connect = moment.since(entry.inserted_at);
    if !entry.is_open() {
        let late = since_connect >= limits.handshake_timeout;
        return late.then_some(Due::End(End::Drop, "handshake-unanswered"));
    }
    if entry.send_queue.owing_since().is_some_and(|since| moment.since(since) >= limits.write_timeout) {
        return Some(Due::End(End::Drop, "stuck"));
    }
    let over = |limit: Option<Duration>, time| limit.is_some_and(|limit| time >= limit);
    if limits.close_when_expired && entry.row.expires_at.is_some_and(|expires_at| expires_at <= now) {
        let end = End::ShutOut(CloseCode::Policy, "the credential has expired");
        return Some(Due::End(end, "expired"));
    }
    if over(limits.max_age, since_connect) {
        return Some(Due::End(End::Close(CloseCode::Away, "the connection is too old"), "too-old"));
    }
    if over(limits.idle_timeout, moment.since(entry.active_at())) {
        return Some(Due::End(End::Close(CloseCode::Away, "the connection was idle"), "idle"));
    }
    match (entry.send_queue.pinged_at(entry.heard_at()), limits.keepalive) {
        (Some(at), keepalive) => {
            let late = moment.since(at) >= keepalive.unwrap_or(RECEIPT_TIMEOUT);
            late.then_some(Due::End(End::Drop, "silent"))
        }
        (None, keepalive) => over(keepalive, moment.since(entry.heard_at())).then_some(Due::Ping),
    }
}
