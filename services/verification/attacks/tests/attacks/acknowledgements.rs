//! A client that acknowledges what it never got.

use serde_json::json;

use crate::support::{Bystander, Client, Server};

/// Returns an `ack` of a thousand sequences that don't exist.
fn invented(frame: u32) -> String {
    let sequences: Vec<_> = (0..1_000).map(|n| format!("{frame:010}{n:029}")).collect();
    json!({ "action": "ack", "sequences": sequences }).to_string()
}

#[tokio::test]
async fn invented_acknowledgements_have_a_rate() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TIDINGS_LIMITS__ACKNOWLEDGEMENTS_PER_USER", "3000/1h")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let mut mallory = Client::connect(&server, "mallory").await;
    for n in 0..30 {
        let answer = mallory.ask(&invented(n)).await;
        if n < 3 {
            assert_eq!(answer, json!({ "type": "ack-ok", "acknowledged": 1_000 }));
        } else {
            assert_eq!(answer["code"], "too-many-requests", "{answer}");
            assert!(answer["retryAfter"].is_number(), "{answer}");
        }
        bystander.is_served(1).await;
    }
    // A client that reads as others do is not held up.
    let answer = mallory.ask(r#"{"action":"ack","sequences":["1","2"]}"#).await;
    assert_eq!(answer["type"], "ack-ok", "{answer}");
}
