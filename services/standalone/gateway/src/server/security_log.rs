//! The security log: one line for each refused credential, and for each change of who may do what.
//!
//! A line has the target `tidings::security`, the event, the request id that the caller got, and the address it came
//! from. Users are [hashes](shared_telemetry::user_hash). Each kind of event has a budget of its own, so that a flood of
//! wrong passwords fills no disk and hides no change of a key; the next line says how many were left out.

use std::fmt;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use contract_notifications_v1::{Timestamp, UserId};
use shared_sync::IgnorePoison as _;
use shared_telemetry::user_hash;

use super::problem::Problem;

/// Lines of one kind that may come at once, as a multiple of those in a second.
const BURST: u32 = 5;

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Event {
    /// A credential or its absence was refused.
    CredentialRefused,
    /// A username or password was wrong.
    LoginRefused,
    /// A handshake was refused.
    HandshakeRefused,
    /// A page of somebody else was refused.
    PageRefused,
    /// A limit was reached.
    LimitReached,
    /// A producer got a connect token for a user.
    TokenIssued,
    /// A user, a key or a block was added, changed or removed.
    AccessChanged,
}

impl Event {
    const COUNT: usize = 7;

    /// The event's name in the log and in metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::CredentialRefused => "credential-refused",
            Self::LoginRefused => "login-refused",
            Self::HandshakeRefused => "handshake-refused",
            Self::PageRefused => "page-refused",
            Self::LimitReached => "limit-reached",
            Self::TokenIssued => "token-issued",
            Self::AccessChanged => "access-changed",
        }
    }
}

/// The routes whose success changes who may do what.
const ACCESS_ROUTES: [&str; 4] = ["/v1/users", "/v1/keys", "/v1/revoked-tokens", "/@connections"];

/// Returns the event that an answer is, if it is one.
pub(super) fn classify(
    method: &Method,
    path: &str,
    status: StatusCode,
    problem: Option<&Problem>,
) -> Option<Event> {
    match (status, problem.map(|problem| problem.kind)) {
        (_, Some("handshake-refused")) => {
            (status != StatusCode::INTERNAL_SERVER_ERROR).then_some(Event::HandshakeRefused)
        }
        (_, Some("foreign-page")) => Some(Event::PageRefused),
        (StatusCode::UNAUTHORIZED, _) if path == "/v1/login" => Some(Event::LoginRefused),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Some(Event::CredentialRefused),
        (StatusCode::TOO_MANY_REQUESTS, _) => Some(Event::LimitReached),
        _ if !status.is_success() || !is_change(method) => None,
        _ if path == "/v1/token" => Some(Event::TokenIssued),
        _ => {
            let is_below = |route: &str| {
                path.strip_prefix(route).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            // Tracking a notification changes nobody's access, and writing to a connection neither.
            let is_other = path.contains("/notifications/")
                || (path.contains("@connections") && *method != Method::DELETE);
            ACCESS_ROUTES
                .iter()
                .find(|route| is_below(route))
                .filter(|_| !is_other)
                .map(|_| Event::AccessChanged)
        }
    }
}

fn is_change(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// The user that an answer is about, as an extension of the answer.
#[derive(Debug, Clone)]
pub(super) struct About(pub(super) UserId);

/// One line.
pub(super) struct Line<'a> {
    pub(super) event: Event,
    pub(super) request_id: &'a str,
    pub(super) address: IpAddr,
    pub(super) method: &'a Method,
    /// The path without its query.
    pub(super) path: &'a str,
    pub(super) status: StatusCode,
    /// The reason of a refusal. It contains no part of a credential.
    pub(super) reason: &'a dyn fmt::Display,
    pub(super) user: Option<&'a UserId>,
}

/// Writes the lines that the budgets allow.
#[derive(Debug)]
pub(super) struct SecurityLog {
    /// Lines of one kind in a second; `None` for no limit.
    per_second: Option<u32>,
    budgets: Mutex<[Budget; Event::COUNT]>,
}

impl SecurityLog {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self { per_second, budgets: Mutex::default() }
    }

    /// Writes a line, unless too many of its kind were written.
    pub(super) fn write(&self, line: &Line<'_>, now: Timestamp) {
        let Line { event, request_id, address, method, path, status, reason, user } = line;
        metrics::counter!("tidings_security_events_total", "event" => event.name()).increment(1);
        let left_out = match self.per_second {
            None => Some(0),
            Some(per_second) => self.budgets.lock().ignore_poison()[*event as usize].take(per_second, now),
        };
        let Some(left_out) = left_out else { return };
        let user = user.map(|user| user_hash(user).to_string());
        tracing::info!(
            target: "tidings::security",
            event = event.name(),
            request_id,
            %address,
            %method,
            path = &*shown(path),
            status = status.as_u16(),
            user,
            reason = %reason,
            left_out = (left_out > 0).then_some(left_out),
            "security event"
        );
    }
}

/// Returns a path without what may name a user: its first two parts.
fn shown(path: &str) -> String {
    path.split('/').take(3).collect::<Vec<_>>().join("/").chars().take(128).collect()
}

/// The budget of one kind of event.
#[derive(Debug, Default)]
struct Budget {
    /// Lines written since `since`, less those that the time since then has paid for.
    spent: u32,
    since: Timestamp,
    left_out: u64,
}

impl Budget {
    /// Takes one line out of the budget. Returns the number of lines left out before it, or `None` if it is used up.
    fn take(&mut self, per_second: u32, now: Timestamp) -> Option<u64> {
        let seconds = u32::try_from(now.since(self.since).as_secs()).unwrap_or(u32::MAX);
        let paid = per_second.saturating_mul(seconds);
        self.spent = self.spent.saturating_sub(paid);
        if seconds > 0 {
            self.since = if self.since == Timestamp::default() || self.spent == 0 {
                now
            } else {
                self.since.plus(Duration::from_secs(seconds.into()))
            };
        }
        if self.spent >= per_second.saturating_mul(BURST) {
            self.left_out += 1;
            return None;
        }
        self.spent += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_772_366_400_000 + millis)
    }

    #[test]
    fn flood_is_left_out_and_counted() {
        let mut budget = Budget::default();
        let written = |budget: &mut Budget, millis| {
            (0..1_000).filter_map(|_| budget.take(20, at(millis))).collect::<Vec<_>>()
        };
        assert_eq!(written(&mut budget, 0).len(), 100);
        assert_eq!(written(&mut budget, 999).len(), 0);
        let next = written(&mut budget, 1_000);
        assert_eq!((next.len(), next[0], next[1]), (20, 1_900, 0));
        // A quiet minute fills the budget again, but no more than that.
        assert_eq!(written(&mut budget, 61_000).len(), 100);
    }

    #[test]
    fn clock_set_back_stops_nothing() {
        let mut budget = Budget::default();
        assert!(budget.take(20, at(60_000)).is_some());
        assert!(budget.take(20, at(0)).is_some());
    }

    #[test]
    fn answers_are_events_by_what_they_mean() {
        use Method as M;

        let event = |method, path: &str, status: u16, kind: Option<&'static str>| {
            let status = StatusCode::from_u16(status).unwrap();
            let problem = kind.map(|kind| Problem::new(status, kind, ""));
            classify(&method, path, status, problem.as_ref())
        };
        for (found, expected) in [
            (event(M::POST, "/v1/login", 401, Some("unauthorized")), Some(Event::LoginRefused)),
            (event(M::POST, "/v1/notifications", 401, Some("unauthorized")), Some(Event::CredentialRefused)),
            (event(M::GET, "/metrics", 403, Some("forbidden")), Some(Event::CredentialRefused)),
            (event(M::GET, "/ws", 403, Some("handshake-refused")), Some(Event::HandshakeRefused)),
            (event(M::GET, "/ws", 500, Some("handshake-refused")), None),
            (event(M::GET, "/ws", 403, Some("foreign-page")), Some(Event::PageRefused)),
            (event(M::POST, "/v1/token", 429, Some("too-many-requests")), Some(Event::LimitReached)),
            (event(M::POST, "/v1/token", 200, None), Some(Event::TokenIssued)),
            (event(M::POST, "/v1/users", 201, None), Some(Event::AccessChanged)),
            (event(M::DELETE, "/v1/keys/a", 204, None), Some(Event::AccessChanged)),
            (event(M::DELETE, "/@connections/x", 204, None), Some(Event::AccessChanged)),
            (event(M::POST, "/@connections/x", 200, None), None),
            (event(M::POST, "/v1/users/jo/notifications/1", 200, None), None),
            (event(M::POST, "/v1/notifications", 202, None), None),
            (event(M::GET, "/v1/users", 200, None), None),
            (event(M::POST, "/v1/usersx", 200, None), None),
            (event(M::POST, "/v1/users", 409, Some("exists")), None),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn path_names_no_user() {
        assert_eq!(shown("/v1/users/jo/notifications/1"), "/v1/users");
        assert_eq!(shown("/ws"), "/ws");
        assert_eq!(shown("/v1/notifications"), "/v1/notifications");
    }
}
