//! Notifications on their way from producer to client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_notifications_v1::{Notification, Sequence, UserId, WhenOffline};
use futures_util::StreamExt as _;
use serde_json::json;
use tidings_client::{Gateway, ListenerConfig, Outcome};
use tokio_tungstenite::connect_async;

use crate::support::{DeliveryLog, Server, TIMEOUT, connected, next, notification, now, user};

async fn send(gateway: &Gateway, notifications: &[Notification]) -> Vec<Sequence> {
    let outcomes = gateway.send_many(notifications, |_| ()).await;
    let sequence = |outcome| match outcome {
        Outcome::Accepted(accepted) => accepted.sequence,
        other => panic!("{other:?}"),
    };
    outcomes.into_iter().map(sequence).collect()
}

fn numbered(user: &UserId, numbers: std::ops::Range<u32>) -> Vec<Notification> {
    numbers.map(|n| notification(user, &json!({ "n": n }))).collect()
}

#[tokio::test]
async fn held_notifications_arrive_first_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let alice = user("alice");
    let gateway = server.gateway();
    let mut sequences = send(&gateway, &numbered(&alice, 0..300)).await;

    let mut listener = server.listen(&alice, ListenerConfig::default());
    connected(&mut listener).await;
    sequences.extend(send(&gateway, &numbered(&alice, 300..350)).await);
    for (n, expected) in sequences.iter().enumerate() {
        let delivery = next(&mut listener).await;
        assert_eq!(delivery.payload.get(), json!({ "n": n }).to_string());
        assert_eq!(delivery.sequence, *expected);
        assert!(delivery.replayed || n >= 300, "{n} was held and must be marked as replayed");
    }
    assert_eq!(listener.duplicates(), 0);
}

#[tokio::test]
async fn every_format_delivers_all_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let gateway = server.gateway();
    for (name, format, acknowledge) in [
        ("single", FrameFormat::Single, false),
        ("single-acknowledged", FrameFormat::Single, true),
        ("batch", FrameFormat::Batch, false),
        ("batch-acknowledged", FrameFormat::Batch, true),
    ] {
        let user = user(name);
        let held = send(&gateway, &numbered(&user, 0..120)).await;
        let config = ListenerConfig { format: Some(format), acknowledge, ..ListenerConfig::default() };
        let mut listener = server.listen(&user, config);
        for expected in held {
            assert_eq!(next(&mut listener).await.sequence, expected, "{name}");
        }
        for expected in send(&gateway, &numbered(&user, 120..140)).await {
            assert_eq!(next(&mut listener).await.sequence, expected, "{name}");
        }
        assert_eq!(listener.duplicates(), 0, "{name}");
    }
}

#[tokio::test]
async fn raw_connection_gets_bare_payloads() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let alice = user("alice");
    let gateway = server.gateway();
    let sent = numbered(&alice, 0..30);
    send(&gateway, &sent).await;
    let token = gateway.token(&alice).await.unwrap().token;
    let url = format!("{}?format=raw&token={token}", gateway.web_socket_url());
    let (mut socket, _) = connect_async(url).await.unwrap();
    for notification in sent {
        let frame = loop {
            let frame = tokio::time::timeout(TIMEOUT, socket.next()).await.unwrap().unwrap().unwrap();
            // Pings ask for receipts.
            if !frame.is_ping() {
                break frame;
            }
        };
        assert_eq!(frame.to_text().unwrap(), notification.payload.get());
    }
}

#[tokio::test]
async fn two_devices_get_everything_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let alice = user("alice");
    let gateway = server.gateway();
    for (phone_acknowledges, laptop_acknowledges) in [(true, true), (false, false), (true, false)] {
        let config = |acknowledge| ListenerConfig { acknowledge, ..ListenerConfig::default() };
        let mut phone = server.listen(&alice, config(phone_acknowledges));
        let mut laptop = server.listen(&alice, config(laptop_acknowledges));
        connected(&mut phone).await;
        connected(&mut laptop).await;
        let sequences = send(&gateway, &numbered(&alice, 0..100)).await;
        for device in [&mut phone, &mut laptop] {
            for expected in &sequences {
                assert_eq!(next(device).await.sequence, *expected);
            }
            assert_eq!(device.duplicates(), 0);
        }
        phone.close().await;
        laptop.close().await;
    }
}

#[tokio::test]
async fn expired_and_dropped_notifications_do_not_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let alice = user("alice");
    let gateway = server.gateway();
    let mut many = numbered(&alice, 0..4);
    let expires_at = now().plus(Duration::from_secs(2));
    many[0].expires_at = Some(expires_at);
    many[1].when_offline = WhenOffline::Drop;
    many[2].expires_at = Some(now().plus(Duration::from_mins(10)));
    let sequences = send(&gateway, &many).await;
    // Only the time of day makes it expire.
    while now() <= expires_at {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let mut listener = server.listen(&alice, ListenerConfig::default());
    assert_eq!(next(&mut listener).await.sequence, sequences[2]);
    assert_eq!(next(&mut listener).await.sequence, sequences[3]);
    // While the user is online, `drop` ones arrive.
    let mut online = numbered(&alice, 4..5);
    online[0].when_offline = WhenOffline::Drop;
    let sequences = send(&gateway, &online).await;
    assert_eq!(next(&mut listener).await.sequence, sequences[0]);

    let key = std::fs::read_to_string(directory.path().join("api-key")).unwrap();
    let request = server.http().get(format!("{}/metrics", server.url)).bearer_auth(key.trim());
    let metrics = request.send().await.unwrap().text().await.unwrap();
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
        line.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).split(' ').next_back().unwrap().to_owned()
    };
    assert_eq!(value("tidings_expired_total"), "1");
    assert_eq!(value("tidings_dropped_total"), "1");
}

#[tokio::test]
async fn producer_retry_is_delivered_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let alice = user("alice");
    let gateway = server.gateway();
    let once = notification(&alice, &json!("once"));
    let first = gateway.send(&once).await.unwrap();
    let second = gateway.send(&once).await.unwrap();
    assert!(!first.duplicate && second.duplicate);
    assert_eq!(first.sequence, second.sequence);
    let last = gateway.send(&notification(&alice, &json!("last"))).await.unwrap();

    let mut listener = server.listen(&alice, ListenerConfig::default());
    assert_eq!(next(&mut listener).await.sequence, first.sequence);
    assert_eq!(next(&mut listener).await.sequence, last.sequence);
}

#[tokio::test]
async fn restart_keeps_mailboxes_and_accounts() {
    let directory = tempfile::tempdir().unwrap();
    let alice = user("alice");
    let server = Server::start(directory.path()).await;
    let mut sequences = send(&server.gateway(), &numbered(&alice, 0..50)).await;
    server.gateway().add_user("alice", "correct horse battery").await.unwrap();
    assert!(server.terminate(), "SIGTERM ends the server successfully");

    let server = Server::start(directory.path()).await;
    sequences.extend(send(&server.gateway(), &numbered(&alice, 50..60)).await);
    let login = server.gateway().login("alice", "correct horse battery").await.unwrap();
    assert!(server.gateway().token_by_jwt(&login.id_token).await.is_ok());
    let mut listener = server.listen(&alice, ListenerConfig::default());
    for expected in sequences {
        assert_eq!(next(&mut listener).await.sequence, expected);
    }
}

/// 40 users: half are offline at first, and a third lose their connection in the middle. Payloads have 1 to
/// 30 kB, in a JSON form that changes if it is parsed and written again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_reconnecting_users_get_exact_bytes_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let gateway = server.gateway();
    let users: Vec<UserId> = (0..40).map(|n| user(&format!("dev-{n:02}"))).collect();
    let log = Arc::new(Mutex::new(DeliveryLog::default()));
    let many: Vec<Notification> = (0..400_u32)
        .map(|n| {
            let user = &users[(n % 40) as usize];
            let filler = "\\u00e9\\/ x".repeat(100 + (n as usize * 37) % 2_900);
            let body = format!(
                r#"{{"userId":"{user}","id":"n-{n}","payload":{{"z":{n}.50e0,  "a":"{filler}", "a":[1, 2.0]}}}}"#
            );
            let request = contract_notifications_v1::NotificationRequest::from_json(&body).unwrap();
            request.complete(|| unreachable!("the request has an id"), now())
        })
        .collect();

    let online = |index: usize| index.is_multiple_of(2);
    let mut tasks = Vec::new();
    let expected_each = many.len() / users.len();
    for (index, user) in users.iter().enumerate().filter(|(index, _)| online(*index)) {
        let listener = server.listen(user, ListenerConfig::default());
        tasks.push(tokio::spawn(collect(listener, user.clone(), Arc::clone(&log), disconnect_after(index))));
    }
    for chunk in many.chunks(50) {
        for (notification, sequence) in chunk.iter().zip(send(&gateway, chunk).await) {
            log.lock().unwrap().accepted(notification, sequence);
        }
    }
    for (index, user) in users.iter().enumerate().filter(|(index, _)| !online(*index)) {
        let listener = server.listen(user, ListenerConfig::default());
        tasks.push(tokio::spawn(collect(listener, user.clone(), Arc::clone(&log), disconnect_after(index))));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // Users who lost their connection come back.
    for user in &users {
        let mut listener = server.listen(user, ListenerConfig::default());
        while log.lock().unwrap().missing(user) > 0 {
            let delivery = next(&mut listener).await;
            log.lock().unwrap().delivered(user, delivery);
        }
    }
    let log = log.lock().unwrap();
    assert_eq!(log.count(), expected_each * users.len());
    log.check();
}

/// Number of notifications after which a user loses the connection, for every third user.
fn disconnect_after(index: usize) -> Option<usize> {
    index.is_multiple_of(3).then_some(3 + index % 4)
}

/// Receives a user's ten notifications, or fewer if the connection is to be lost before.
async fn collect(
    mut listener: tidings_client::Listener,
    user: UserId,
    log: Arc<Mutex<DeliveryLog>>,
    disconnect: Option<usize>,
) {
    for _ in 0..disconnect.unwrap_or(10) {
        let delivery = next(&mut listener).await;
        log.lock().unwrap().delivered(&user, delivery);
    }
    if disconnect.is_some() {
        log.lock().unwrap().fault();
        // Dropped without a close frame.
        drop(listener);
    }
}
