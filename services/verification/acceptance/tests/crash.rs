//! The server is killed in the middle of load, again and again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_notifications_v1::UserId;
use support::{PATIENCE, Server, Story, notification, user};
use tidings_client::{Event, Gateway, ListenerConfig, Outcome};

const KILLS: u32 = 25;
const USERS: u32 = 8;

/// Sends batches until the server is gone, and writes down what it accepted.
async fn produce(gateway: Gateway, users: Vec<UserId>, story: Arc<Mutex<Story>>, round: u32) {
    for batch in 0.. {
        let payload = serde_json::json!({ "round": round, "batch": batch });
        let many: Vec<_> =
            users.iter().flat_map(|user| [user; 3]).map(|u| notification(u, &payload)).collect();
        // No retries: what was not answered for is not known to be accepted.
        let outcomes = gateway.send_many(&many, |_| ()).await;
        let mut story = story.lock().unwrap();
        for (notification, outcome) in many.iter().zip(outcomes) {
            match outcome {
                Outcome::Accepted(accepted) => story.accepted(notification, accepted.sequence),
                Outcome::Unknown(_) => return,
                Outcome::Refused(problem) => panic!("refused: {problem:?}"),
            }
        }
    }
}

async fn listen(server: &Server, user: UserId, story: Arc<Mutex<Story>>) {
    let mut listener = server.listen(&user, ListenerConfig::default());
    while let Some(Ok(event)) = listener.next().await {
        if let Event::Notification(received) = event {
            story.lock().unwrap().seen(&user, received.delivery);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_when_the_server_is_killed_25_times() {
    let directory = tempfile::tempdir().unwrap();
    let story = Arc::new(Mutex::new(Story::default()));
    let users: Vec<UserId> = (0..USERS).map(|n| user(&format!("user-{n}"))).collect();

    for round in 0..KILLS {
        let server = Server::start(directory.path()).await;
        let gateway = server.gateway().with_attempts(1);
        let producer = tokio::spawn(produce(gateway, users.clone(), Arc::clone(&story), round));
        // In each round other users are there.
        let present = users.iter().skip(round as usize % 2).step_by(2);
        let listeners = present.map(|user| listen(&server, user.clone(), Arc::clone(&story)));
        let all = futures_util::future::join_all(listeners);
        let moment = Duration::from_millis(rand::random_range(30..400));
        let _ = tokio::time::timeout(moment, all).await;
        server.kill();
        story.lock().unwrap().fault();
        tokio::time::timeout(PATIENCE, producer).await.unwrap().unwrap();
    }

    let server = Server::start(directory.path()).await;
    for user in &users {
        let mut listener = server.listen(user, ListenerConfig::default());
        while story.lock().unwrap().missing(user) > 0 {
            let delivery = support::next(&mut listener).await;
            story.lock().unwrap().seen(user, delivery);
        }
        listener.close().await;
    }
    let story = story.lock().unwrap();
    assert!(story.count() > 100, "there was load: {} accepted", story.count());
    let duplicates = story.check();
    println!("{} accepted, {KILLS} kills, {duplicates} duplicates", story.count());
}
