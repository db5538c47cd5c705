//! websocket-chat-application: a page with a JSON Web Token in the query of its WebSocket URL.

use serde_json::{Value, json};

use crate::client::Client;
use crate::gateway::Gateway;
use crate::jwt::{hs256, seconds};
use crate::unique::unique;

/// The token that the page gets at a login.
fn jwt(user: &str, lifetime: i64, secret: &str) -> String {
    hs256(&json!({ "user_id": user, "iat": seconds(-60), "exp": seconds(lifetime) }), secret)
}

/// Runs the scenario: every member gets every message with time and name, in the form that the page shows
/// unchanged. Heartbeats are answered, new members announced, sessions and messages recorded.
pub async fn scenario(gateway: &Gateway, secret: &str) {
    let (ann, bob, cyd) = (unique("ann"), unique("bob"), unique("cyd"));
    let url = &gateway.web_socket_url;
    // The page, the README's command for wscat, and a client that asks for bare messages.
    let page = format!("{url}?Authorization=Bearer%20{}", jwt(&ann, 600, secret));
    let wscat = format!("{url}/?token=Bearer%20{}", jwt(&bob, 600, secret));
    let raw = format!("{url}?format=raw&token=Bearer%20{}", jwt(&cyd, 600, secret));
    let mut ann_page = Client::open(&page, &[]).await.expect("ann connects");
    let mut bob_wscat = Client::open(&wscat, &[]).await.expect("bob connects");
    let mut cyd_raw = Client::open(&raw, &[]).await.expect("cyd connects");
    // The announcements come in either order, because each broadcast may take several steps.
    let mut announced = [&bob, &cyd].map(|name| format!("A new user has joined the chat - {name}")).to_vec();
    while !announced.is_empty() {
        let frame: Value = serde_json::from_str(&ann_page.receive().await).unwrap();
        announced.retain(|notice| frame["message"] != **notice);
    }

    // The text of the source's page, and one that no other scenario sends.
    for text in ["hello".to_owned(), unique("hello")] {
        ann_page.send(&json!({ "action": "sendmessage", "message": text }).to_string()).await;
        for client in [&mut ann_page, &mut bob_wscat, &mut cyd_raw] {
            let end = format!("- UTC]\\n {ann}  {text}\\n\"");
            let frame: Value = serde_json::from_str(&client.receive_with(&end).await).unwrap();
            let message = frame["message"].as_str().unwrap();
            let (time, rest) = message.strip_prefix('[').unwrap().split_once(" - UTC]\n ").unwrap();
            assert_eq!(rest, format!("{ann}  {text}\n"));
            // In the form 2026-01-02T03:04:05Z.
            assert!(time.len() == 20 && time.ends_with('Z') && time.contains('T'), "{time}");
        }
    }
    ann_page.send(r#"{"action":"sendmessage","message":"ping"}"#).await;
    ann_page.receive_where("message", "pong").await;
    // A heartbeat goes to no other member. An unknown action and plain text are answered with an error.
    for wrong in [r#"{"action":"dance"}"#, "hello"] {
        bob_wscat.send(wrong).await;
        let frames = bob_wscat.receive_until(r#""type":"error""#).await;
        assert!(frames.iter().all(|frame| !frame.contains("pong")), "{frames:?}");
    }

    let expired = format!("{url}?Authorization=Bearer%20{}", jwt(&ann, -60, secret));
    assert_eq!(Client::open(&expired, &[]).await.err(), Some(403));
    let forged = format!("{url}?Authorization=Bearer%20{}", jwt(&ann, 600, "another secret"));
    assert_eq!(Client::open(&forged, &[]).await.err(), Some(403));

    // The operator reads the messages through the API, and the client its sessions with an action.
    let is_message = |entry: &Value| entry["what"] == "delivered" && entry["kind"] == "sendmessage";
    let entry = gateway.until_in_history(&bob, "messages", is_message).await;
    assert_eq!(entry["source"], format!("user/{ann}"));
    assert!(entry["payload"].to_string().contains("hello"), "{entry}");
    bob_wscat.send(r#"{"action":"history","of":"sessions"}"#).await;
    let history = bob_wscat.receive_where("type", "history").await;
    assert!(history["items"][0]["openedAt"].is_u64(), "{history}");
    let connection = history["items"][0]["connectionId"].as_str().unwrap().to_owned();
    bob_wscat.close().await;
    gateway.until_session_ended(&bob, &connection).await;
}
