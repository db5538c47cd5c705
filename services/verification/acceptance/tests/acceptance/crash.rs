//! A server that is killed under load, many times.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_notifications_v1::UserId;
use tidings_client::{Event, Gateway, ListenerConfig, Outcome};

use crate::support::{DeliveryLog, Server, TIMEOUT, notification, user};

const KILLS: u32 = 25;
const USERS: u32 = 8;

/// Sends batches until the server is gone, and logs the accepted notifications.
async fn produce(gateway: Gateway, users: Vec<UserId>, log: Arc<Mutex<DeliveryLog>>, round: u32) {
    for batch in 0.. {
        let payload = serde_json::json!({ "round": round, "batch": batch });
        let many: Vec<_> =
            users.iter().flat_map(|user| [user; 3]).map(|u| notification(u, &payload)).collect();
        // Without retries: a batch without an answer does not count as accepted.
        let outcomes = gateway.send_many(&many, |_| ()).await;
        let mut log = log.lock().unwrap();
        for (notification, outcome) in many.iter().zip(outcomes) {
            match outcome {
                Outcome::Accepted(accepted) => log.accepted(notification, accepted.sequence),
                Outcome::Unknown(_) => return,
                Outcome::Refused(problem) => panic!("refused: {problem:?}"),
            }
        }
    }
}

async fn listen(server: &Server, user: UserId, log: Arc<Mutex<DeliveryLog>>) {
    let mut listener = server.listen(&user, ListenerConfig::default());
    while let Some(Ok(event)) = listener.next().await {
        if let Event::Notification(received) = event {
            log.lock().unwrap().delivered(&user, received.delivery);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_over_25_kills() {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(Mutex::new(DeliveryLog::default()));
    let users: Vec<UserId> = (0..USERS).map(|n| user(&format!("user-{n}"))).collect();

    for round in 0..KILLS {
        let server = Server::start(directory.path()).await;
        let gateway = server.gateway().with_attempts(1);
        let producer = tokio::spawn(produce(gateway, users.clone(), Arc::clone(&log), round));
        // Every other user is online in each round.
        let present = users.iter().skip(round as usize % 2).step_by(2);
        let listeners = present.map(|user| listen(&server, user.clone(), Arc::clone(&log)));
        let all = futures_util::future::join_all(listeners);
        let moment = Duration::from_millis(rand::random_range(30..400));
        let _ = tokio::time::timeout(moment, all).await;
        server.kill();
        log.lock().unwrap().fault();
        tokio::time::timeout(TIMEOUT, producer).await.unwrap().unwrap();
    }

    let server = Server::start(directory.path()).await;
    for user in &users {
        let mut listener = server.listen(user, ListenerConfig::default());
        while log.lock().unwrap().missing(user) > 0 {
            let delivery = crate::support::next(&mut listener).await;
            log.lock().unwrap().delivered(user, delivery);
        }
        listener.close().await;
    }
    let log = log.lock().unwrap();
    assert!(log.count() > 100, "too little load: {} accepted", log.count());
    let duplicates = log.check();
    println!("{} accepted, {KILLS} kills, {duplicates} repeats", log.count());
}
