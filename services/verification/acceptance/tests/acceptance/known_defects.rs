//! Known defects of other gateways that this one does not have, unless another suite shows it.

use futures_util::future::join_all;
use serde_json::json;
use tidings_client::{ListenerConfig, Outcome};

use crate::support::{Server, connected, next, notification, now, user};

/// A mailbox with the time as its key keeps only one of several notifications of a millisecond.
#[tokio::test]
async fn same_millisecond_messages_all_arrive_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let (alice, gateway, sent_at) = (user("alice"), server.gateway(), now());
    let numbered = |numbers: std::ops::Range<u32>| -> Vec<_> {
        let mut many: Vec<_> = numbers.map(|n| notification(&alice, &json!(n))).collect();
        for notification in &mut many {
            notification.sent_at = sent_at;
        }
        many
    };
    let send = async |numbers| {
        let outcomes = gateway.send_many(&numbered(numbers), |_| ()).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))), "{outcomes:?}");
    };
    // While the user is offline, and while the user is online.
    send(0..100).await;
    let mut listener = server.listen(&alice, ListenerConfig::default());
    connected(&mut listener).await;
    send(100..200).await;
    for n in 0..200 {
        let delivery = next(&mut listener).await;
        assert_eq!((delivery.payload.get(), delivery.sent_at), (n.to_string().as_str(), sent_at));
    }
    assert_eq!(listener.duplicates(), 0);
}

/// A gateway that stores a message after it found no connection, and does not look again, delivers it only
/// when the user connects once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_sent_during_connect_is_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let server = &server;
    let gateway = server.gateway();
    let gateway = &gateway;
    let one = async |n: u32| {
        let user = user(&format!("user-{n}"));
        let url = format!("{}?token={}", gateway.web_socket_url(), gateway.token(&user).await.unwrap().token);
        // The message comes at a later point of the handshake for each user.
        let message = notification(&user, &json!("now"));
        let send = async {
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
            gateway.send(&message).await.unwrap()
        };
        let (client, _) = tokio::join!(verification_source_clients::Client::open(&url, &[]), send);
        client.expect("the user connects").receive_with(r#""payload":"now""#).await;
    };
    join_all((0..200).map(one)).await;
}
