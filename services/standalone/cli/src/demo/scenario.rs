//! The steps of the demonstration: a server, a bad network, a producer, and a user with one device.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use contract_notifications_v1::{Notification, NotificationId, Payload, UserId, WhenOffline};
use serde_json::json;
use shared_ports::{Clock as _, SystemClock};
use shared_retry::RetryPolicy;
use tidings_client::{ApiKeyCredentials, Event, Gateway, Listener, ListenerConfig, Outcome};
use tokio::time::timeout;
use uuid::Uuid;

use super::proxy::Proxy;
use super::{ARRIVAL_TIMEOUT, Observation};
use crate::child_server::{ChildServer, ChildServerSettings};

/// Notifications sent while the user is offline.
pub(super) const HELD: usize = 5;
/// Notifications sent while the user is connected.
pub(super) const LIVE: usize = 3;
/// Notifications in a stream.
pub(super) const STREAM: usize = 300;

const USER: &str = "ana";
/// An address at which nothing listens.
const UNREACHABLE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Notifications that arrived at the user's device.
#[derive(Default)]
struct Arrivals {
    numbers: Vec<u64>,
    replayed: usize,
    reconnects: u32,
}

pub(super) struct Scenario {
    // Dropped before the server, so that it does not report the server's end.
    listener: Option<Listener>,
    proxy: Proxy,
    gateway: Gateway,
    user: UserId,
    /// Number of the next notification.
    next: u64,
    server: ChildServer,
}

impl Scenario {
    pub(super) async fn build() -> anyhow::Result<Self> {
        let server =
            tokio::task::spawn_blocking(|| ChildServer::start(ChildServerSettings::default())).await??;
        let proxy = Proxy::start(address(&server)?).await?;
        let gateway = Gateway::new(&proxy.url())?.with_api_key(server.api_key()).with_attempts(20);
        Ok(Self { listener: None, proxy, gateway, user: UserId::new(USER)?, next: 1, server })
    }

    /// Returns `count` notifications with the next numbers.
    fn notifications(&mut self, count: usize) -> anyhow::Result<Vec<Notification>> {
        let mut notifications = Vec::with_capacity(count);
        for _ in 0..count {
            notifications.push(Notification {
                id: NotificationId::new(Uuid::now_v7().to_string())?,
                user_id: self.user.clone(),
                payload: Payload::from_value(&json!({ "number": self.next }))?,
                sent_at: SystemClock.now(),
                expires_at: None,
                when_offline: WhenOffline::Hold,
                kind: None,
                source: None,
            });
            self.next += 1;
        }
        Ok(notifications)
    }

    pub(super) async fn send_while_offline(&mut self) -> anyhow::Result<Observation> {
        let notifications = self.notifications(HELD)?;
        let outcomes = self.gateway.send_many(&notifications, |_| {}).await;
        Ok(accepted(&outcomes).map(|()| format!("{HELD} accepted for {USER}, who is offline")))
    }

    pub(super) async fn connect_and_receive(&mut self) -> anyhow::Result<Observation> {
        let credentials = ApiKeyCredentials::new(self.gateway.clone(), self.user.clone());
        let config = ListenerConfig {
            retry: RetryPolicy { initial: Duration::from_millis(50), max: Duration::from_millis(400) },
            first_attempts: 20,
            ..ListenerConfig::default()
        };
        self.listener = Some(Listener::start(self.gateway.web_socket_url(), credentials, config));
        let arrived = self.receive(HELD).await?;
        Ok(arrived
            .check(1, HELD)
            .map(|()| format!("{} arrived, {} of them held", numbers(&arrived.numbers), arrived.replayed)))
    }

    pub(super) async fn send_live(&mut self) -> anyhow::Result<Observation> {
        let first = self.next;
        let mut slowest = Duration::ZERO;
        for notification in self.notifications(LIVE)? {
            let number = self.next - LIVE as u64;
            let began = Instant::now();
            self.gateway.send(&notification).await?;
            let arrived = self.receive(1).await?;
            slowest = slowest.max(began.elapsed());
            if arrived.numbers.len() != 1 {
                return Ok(Err(format!("number {number} or a later one did not arrive")));
            }
            if arrived.numbers[0] < first {
                return Ok(Err(format!("{} arrived again", arrived.numbers[0])));
            }
        }
        let millis = slowest.as_secs_f64() * 1_000.0;
        Ok(Ok(format!("{LIVE} sent; the slowest arrived after {millis:.1} ms")))
    }

    pub(super) async fn send_again(&mut self) -> anyhow::Result<Observation> {
        let first = self.next;
        let notifications = self.notifications(1)?;
        let one = self.gateway.send(&notifications[0]).await?;
        let two = self.gateway.send(&notifications[0]).await?;
        if one.duplicate || !two.duplicate || one.sequence != two.sequence {
            return Ok(Err("the repeated notification was not recognised".to_owned()));
        }
        // Waits to see that nothing more arrives.
        let arrived = self.receive_within(2, Duration::from_millis(300)).await?;
        Ok(arrived.check(first, 1).map(|()| "sent twice with the same id, arrived once".to_owned()))
    }

    pub(super) async fn cut_in_mid_stream(&mut self) -> anyhow::Result<Observation> {
        let first = self.next;
        let notifications = self.notifications(STREAM)?;
        let gateway = self.gateway.clone();
        let sending = tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for few in notifications.chunks(10) {
                outcomes.extend(gateway.send_many(few, |_| {}).await);
            }
            outcomes
        });
        let mut arrived = self.receive(STREAM / 3).await?;
        self.proxy.cut();
        arrived.add(self.receive(STREAM - arrived.numbers.len()).await?);
        if let Err(broken) = accepted(&sending.await?) {
            return Ok(Err(broken));
        }
        Ok(arrived.check(first, STREAM).and_then(|()| {
            if arrived.reconnects == 0 {
                return Err("the connection was not cut".to_owned());
            }
            Ok(format!(
                "connection cut after {}, then reconnected: {} arrived",
                STREAM / 3,
                numbers(&arrived.numbers)
            ))
        }))
    }

    pub(super) async fn kill_the_server(&mut self) -> anyhow::Result<Observation> {
        let first = self.next;
        let notifications = self.notifications(STREAM)?;
        // The user is disconnected first, so that nothing arrives before the server is killed.
        self.proxy.point_to(UNREACHABLE);
        self.proxy.cut();
        let direct = Gateway::new(self.server.url())?.with_api_key(self.server.api_key());
        let outcomes = direct.send_many(&notifications, |_| {}).await;
        self.server.kill()?;
        if let Err(broken) = accepted(&outcomes) {
            return Ok(Err(broken));
        }
        let began = Instant::now();
        tokio::task::block_in_place(|| self.server.restart())?;
        self.proxy.point_to(address(&self.server)?);
        let restart = began.elapsed().as_millis();
        let arrived = self.receive(STREAM).await?;
        Ok(arrived.check(first, STREAM).map(|()| {
            format!(
                "{STREAM} accepted for {USER}, who is offline; killed, restarted in {restart} ms: {} arrived",
                numbers(&arrived.numbers)
            )
        }))
    }

    pub(super) async fn close(mut self) {
        if let Some(listener) = self.listener.take() {
            listener.close().await;
        }
    }

    /// Returns the next `count` notifications, fewer if one takes longer than [`ARRIVAL_TIMEOUT`].
    async fn receive(&mut self, count: usize) -> anyhow::Result<Arrivals> {
        self.receive_within(count, ARRIVAL_TIMEOUT).await
    }

    async fn receive_within(&mut self, count: usize, limit: Duration) -> anyhow::Result<Arrivals> {
        let listener = self.listener.as_mut().context("the user has no listener")?;
        let mut arrived = Arrivals::default();
        while arrived.numbers.len() < count {
            let Ok(event) = timeout(limit, listener.next()).await else { break };
            match event.context("the listener ended")?? {
                Event::Notification(received) => {
                    let payload: serde_json::Value = serde_json::from_str(received.delivery.payload.get())?;
                    arrived.numbers.push(payload["number"].as_u64().unwrap_or_default());
                    arrived.replayed += usize::from(received.delivery.replayed);
                }
                Event::Disconnected { .. } => arrived.reconnects += 1,
                Event::Connected | Event::Raw(_) | Event::Refused { .. } | Event::Unreadable { .. } => {}
            }
        }
        Ok(arrived)
    }
}

impl Arrivals {
    fn add(&mut self, other: Self) {
        self.numbers.extend(other.numbers);
        self.replayed += other.replayed;
        self.reconnects += other.reconnects;
    }

    /// Checks that the `count` notifications from number `first` on arrived, each once and in order.
    fn check(&self, first: u64, count: usize) -> Result<(), String> {
        let expected: Vec<u64> = (first..).take(count).collect();
        if self.numbers == expected {
            return Ok(());
        }
        if let Some(missing) = expected.iter().find(|number| !self.numbers.contains(number)) {
            return Err(format!("number {missing} did not arrive, and perhaps others"));
        }
        if self.numbers.len() > count {
            return Err(format!("{} more arrived than were sent", self.numbers.len() - count));
        }
        let swapped = self.numbers.windows(2).find(|pair| pair[0] >= pair[1]);
        Err(swapped.map_or_else(
            || "other notifications arrived than were sent".to_owned(),
            |pair| format!("number {} came before {}", pair[0], pair[1]),
        ))
    }
}

/// Checks that all notifications were accepted.
fn accepted(outcomes: &[Outcome]) -> Result<(), String> {
    for outcome in outcomes {
        match outcome {
            Outcome::Accepted(_) => {}
            Outcome::Refused(problem) => return Err(format!("a notification was refused: {problem}")),
            Outcome::Unknown(error) => return Err(format!("a notification was not answered: {error}")),
        }
    }
    Ok(())
}

fn numbers(numbers: &[u64]) -> String {
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(only), _) => only.to_string(),
        _ => "nothing".to_owned(),
    }
}

fn address(server: &ChildServer) -> anyhow::Result<SocketAddr> {
    let host = server.url().trim_start_matches("http://");
    host.parse().with_context(|| format!("{host} is not an address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(numbers: &[u64]) -> Arrivals {
        Arrivals { numbers: numbers.to_vec(), ..Arrivals::default() }
    }

    #[test]
    fn broken_promise_is_named() {
        assert_eq!(arrived(&[4, 5, 6]).check(4, 3), Ok(()));
        let failure = |numbers: &[u64]| arrived(numbers).check(4, 3).unwrap_err();
        assert!(failure(&[4, 6]).contains("5 did not arrive"));
        assert!(failure(&[4, 6, 5]).contains("6 came before 5"));
        assert!(failure(&[4, 5, 6, 6]).contains("1 more"));
    }
}
