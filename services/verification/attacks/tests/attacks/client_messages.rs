//! Clients that send to others more than those need.

use contract_notifications_v1::UserId;
use serde_json::{Value, json};

use crate::support::{Bystander, Client, Server};

const MIB: u64 = 1024 * 1024;

/// Returns a `sendMessage` to invented users.
fn to_invented_users(round: usize, count: usize, payload: &str) -> String {
    let users: Vec<String> = (0..count).map(|n| format!("invented-{round}-{n}")).collect();
    json!({ "action": "sendMessage", "sessions": users, "payload": payload }).to_string()
}

#[tokio::test]
async fn messages_to_invented_users_leave_the_disk_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TIDINGS_CLIENT_MESSAGES__POLICY", "anyone")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let mut mallory = Client::connect(&server, "mallory").await;
    let before = server.stored_bytes();
    let payload = "x".repeat(100_000);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..30 {
        let answer = mallory.ask(&to_invented_users(round, 100, &payload)).await;
        if answer["type"] == "sent" {
            accepted += 1;
        } else {
            assert_eq!(answer["code"], "too-many-requests", "{answer}");
            assert!(answer["retryAfter"].as_u64().unwrap() <= 60_000, "{answer}");
            refused += 1;
        }
        bystander.is_served(1).await;
    }
    // 16 MiB a minute, of which each of these takes 10.
    assert_eq!((accepted, refused), (1, 29));
    let taken = server.stored_bytes().saturating_sub(before);
    assert!(taken < 200 * MIB, "300 MiB that were sent take {taken} bytes");
}

#[tokio::test]
async fn recipients_count_whatever_their_size() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TIDINGS_CLIENT_MESSAGES__POLICY", "anyone")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let mut mallory = Client::connect(&server, "mallory").await;
    let before = server.resident_bytes();
    let mut refused = 0;
    for round in 0..70 {
        let answer = mallory.ask(&to_invented_users(round, 100, "x")).await;
        refused += usize::from(answer["code"] == "too-many-requests");
    }
    // 6,000 a minute, unless a window of a minute has ended in between.
    assert!((1..=10).contains(&refused), "{refused} were refused");
    bystander.is_served(20).await;
    let taken = server.resident_bytes().saturating_sub(before);
    assert!(taken < 100 * MIB, "6,000 named users take {taken} bytes");
}

/// Ids of one client must not be remembered in place of a producer's.
#[tokio::test]
async fn twenty_thousand_ids_push_out_none_of_a_producer() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("TIDINGS_CLIENT_MESSAGES__POLICY", "anyone"),
        ("TIDINGS_CLIENT_MESSAGES__RECIPIENTS_PER_USER", "off"),
    ];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let producers = crate::support::notification(&UserId::new("bob").unwrap(), &json!(1));
    let first = server.gateway().send(&producers).await.unwrap();
    let mut mallory = Client::connect(&server, "mallory").await;
    for round in 0..200 {
        let answer = mallory.ask(&to_invented_users(round, 100, "x")).await;
        assert_eq!(answer["type"], "sent", "{answer}");
    }
    bystander.is_served(5).await;
    let again = server.gateway().send(&producers).await.unwrap();
    assert_eq!((again.sequence, again.duplicate), (first.sequence, true));
}

#[tokio::test]
async fn clients_are_refused_before_producers() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("TIDINGS_CLIENT_MESSAGES__POLICY", "anyone"),
        ("TIDINGS_HUBS__EVERYONE", "all"),
        // No disk has so much.
        ("TIDINGS_STORE__CLIENT_RESERVE_BYTES", "1000000000000000000"),
    ];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let mut mallory = Client::connect(&server, "mallory").await;
    for frame in [to_invented_users(0, 2, "x"), r#"{"action":"sendmessage","message":"x"}"#.to_owned()] {
        let answer = mallory.ask(&frame).await;
        let results = answer["results"].as_array().unwrap();
        assert!(results.iter().all(|result| result["accepted"] == false), "{answer}");
    }
    bystander.is_served(20).await;
    assert!(server.metric("tidings_disk_full_total").await >= 1.0);
}

#[tokio::test]
async fn one_sender_cannot_fill_a_mailbox() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("TIDINGS_CLIENT_MESSAGES__POLICY", "anyone"),
        ("TIDINGS_CLIENT_MESSAGES__QUOTA_PER_USER", "10000/1d"),
        ("TIDINGS_CLIENT_MESSAGES__QUOTA_PER_MAILBOX", "20000/1d"),
    ];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let mut mallory = Client::connect(&server, "mallory").await;
    let mut friend = Client::connect(&server, "friend").await;
    let mut third = Client::connect(&server, "third").await;
    let message = json!({ "action": "sendMessage", "sessions": ["victim"], "payload": "x".repeat(700) });
    let message = message.to_string();
    let flood = async |client: &mut Client| {
        for _ in 0..30 {
            let answer = client.ask(&message).await;
            if answer["code"] == "too-many-requests" {
                return;
            }
        }
        panic!("the flood is not refused");
    };
    flood(&mut mallory).await;
    // The victim still gets messages of others.
    let answer = friend.ask(&message).await;
    assert_eq!(answer["results"][0]["accepted"], true, "{answer}");
    flood(&mut friend).await;
    // Two senders together have filled the mailbox for clients, and not for producers.
    let answer = third.ask(&message).await;
    if answer["results"][0]["accepted"] == true {
        let answer = third.ask(&message).await;
        assert_eq!(answer["results"][0]["code"], "too-many-requests", "{answer}");
    }
    assert!(server.metric("tidings_mailbox_quota_refused_total").await >= 1.0);
    let to_victim = crate::support::notification(&UserId::new("victim").unwrap(), &json!("of a producer"));
    server.gateway().send(&to_victim).await.expect("the producer is not refused");
    bystander.is_served(5).await;
}

#[tokio::test]
async fn guests_of_one_address_cannot_fill_a_mailbox() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("TIDINGS_LIMITS__EXEMPT_LOOPBACK", "false"),
        ("TIDINGS_LOGIN__GUESTS", "true"),
        ("TIDINGS_CLIENT_MESSAGES__POLICY", "anyone"),
        ("TIDINGS_CLIENT_MESSAGES__QUOTA_PER_USER", "10000/1d"),
        ("TIDINGS_CLIENT_MESSAGES__QUOTA_PER_MAILBOX", "20000/1d"),
    ];
    let server = Server::start(directory.path(), &settings).await;
    let mut friend = Client::connect(&server, "friend").await;
    let message = json!({ "action": "sendMessage", "sessions": ["victim"], "payload": "x".repeat(700) });
    let message = message.to_string();
    let mut accepted = 0;
    for _ in 0..4 {
        let url = format!("{}/v1/guest", server.url);
        let guest: Value = reqwest::Client::new().post(url).send().await.unwrap().json().await.unwrap();
        let mut guest = Client::connect(&server, guest["userId"].as_str().unwrap()).await;
        for _ in 0..11 {
            let answer = guest.ask(&message).await;
            accepted += usize::from(answer["results"][0]["accepted"] == true);
        }
    }
    // Together they have the quota of one user, and leave half of the mailbox to others.
    assert!((1..=10).contains(&accepted), "{accepted}");
    let answer = friend.ask(&message).await;
    assert_eq!(answer["results"][0]["accepted"], true, "{answer}");
}
