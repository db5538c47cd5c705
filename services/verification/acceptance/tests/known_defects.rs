//! What other gateways are known to get wrong, where no other test shows that this one does not; and that the guides,
//! which say where each is shown, name tests that exist.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod support;

use std::path::Path;

use futures_util::future::join_all;
use serde_json::json;
use support::{Server, connected, next, notification, now, user};
use tidings_client::{ListenerConfig, Outcome};

/// A mailbox whose rows are told apart by their time keeps one of several of a millisecond.
#[tokio::test]
async fn messages_of_one_millisecond_are_all_delivered_and_in_order() {
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
    // Held, and with the user there.
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

/// What is stored between a gateway's look for connections and its look for what is held waits until the user
/// connects once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_while_a_user_connects_needs_no_further_connection() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    let server = &server;
    let gateway = server.gateway();
    let gateway = &gateway;
    let one = async |n: u32| {
        let user = user(&format!("user-{n}"));
        let url = format!("{}?token={}", gateway.web_socket_url(), gateway.token(&user).await.unwrap().token);
        // More and more of the handshake is over when the message comes.
        let message = notification(&user, &json!("now"));
        let send = async {
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
            gateway.send(&message).await.unwrap()
        };
        let (client, _) = tokio::join!(verification_source_clients::Client::open(&url, &[]), send);
        client.expect("the user is let in").receive_with(r#""payload":"now""#).await;
    };
    join_all((0..200).map(one)).await;
}

/// Names of tests in links like [`name`](../../services/x/tests/y.rs), with the files.
fn tests_named_in(guide: &str) -> Vec<(String, String)> {
    let links = guide.split("[`").skip(1).filter_map(|rest| rest.split_once("`]("));
    let links = links.filter_map(|(name, rest)| Some((name, rest.split_once(')')?.0)));
    let to_tests = links.filter(|(_, path)| Path::new(path).extension().is_some_and(|end| end == "rs"));
    to_tests.map(|(name, path)| (name.to_owned(), path.to_owned())).collect()
}

#[test]
fn the_guides_name_tests_that_exist() {
    let guides = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/how-to/migrate"));
    let mut named = 0;
    for guide in std::fs::read_dir(guides).unwrap() {
        let guide = guide.unwrap().path();
        for (name, path) in tests_named_in(&std::fs::read_to_string(&guide).unwrap()) {
            let source = std::fs::read_to_string(guides.join(&path));
            let source = source.unwrap_or_else(|error| panic!("{}: {path}: {error}", guide.display()));
            let test = format!("fn {name}(");
            assert!(source.contains(&test), "{}: {path} has no test {name}", guide.display());
            named += 1;
        }
    }
    assert!(named >= 15, "{named} tests are named");
}
