//! User ids as people write them, at every route.

use contract_notifications_v1::UserId;
use dispatcher::core::run::Outcome;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::test_server::{Client, start, within};

const WRITTEN: &str = "José Pérez";
const CARRIED: &str = "u8:Sm9zw6kgUMOpcmV6";
/// In a path or a query.
const ENCODED: &str = "Jos%C3%A9%20P%C3%A9rez";

async fn ask(client: &mut Client, frame: Value) -> Value {
    client.send(Message::text(frame.to_string())).await.unwrap();
    let answer = within(client.next()).await.unwrap().unwrap();
    serde_json::from_str(answer.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn producers_write_ids_as_people_do() {
    let server = start();
    let one = json!({"userId": WRITTEN, "message": 1}).to_string();
    assert_eq!(server.post("/v1/notifications", &one).await.status, 202);
    assert_eq!(server.post("/message", &one).await.status, 202);
    assert_eq!(server.post("/v1/notifications", format!("[{one}]")).await.status, 200);
    let ndjson = ["content-type: application/x-ndjson"];
    assert_eq!(server.send("POST", "/v1/notifications", &ndjson, one.as_bytes()).await.status, 200);
    let carried = json!({"userId": CARRIED, "message": 1}).to_string();
    assert_eq!(server.post("/v1/notifications", carried).await.status, 202);
    let queued = server.take_queued();
    assert_eq!(queued.len(), 5);
    assert!(queued.iter().all(|notification| notification.user_id.as_str() == CARRIED));
}

#[tokio::test]
async fn answers_show_ids_as_people_write_them() {
    let server = start();
    let sent = json!({"userId": WRITTEN, "id": "n", "message": 1}).to_string();
    assert_eq!(server.post("/v1/notifications", sent).await.status, 202);
    for user in [ENCODED, CARRIED] {
        let inspected = server.get(&format!("/v1/users/{user}")).await.json();
        assert_eq!(inspected["userId"], WRITTEN, "{inspected}");
        let timeline = server.get(&format!("/v1/users/{user}/notifications/n")).await.json();
        assert_eq!((&timeline["userId"], &timeline["state"]), (&json!(WRITTEN), &json!("queued")));
    }
    let added = json!({"username": WRITTEN, "password": "long enough"}).to_string();
    assert_eq!(server.post("/v1/users", added).await.json()["username"], WRITTEN);
    assert_eq!(server.get("/v1/users").await.json()["items"][0]["username"], WRITTEN);
}

#[tokio::test]
async fn login_and_token_keep_the_name() {
    let mut server = start();
    let account = json!({"username": WRITTEN, "password": "long enough"}).to_string();
    assert_eq!(server.post("/v1/users", &account).await.status, 201);
    let login = server.post("/v1/login", &account).await.json();
    let bearer = format!("authorization: Bearer {}", login["idToken"].as_str().unwrap());
    let by_user = server.send("POST", "/v1/token", &[&bearer], b"").await.json();
    let by_producer = server.post("/v1/token", json!({"userId": WRITTEN}).to_string()).await.json();
    for token in [by_user, by_producer] {
        let url = format!("ws://{}/ws?token={}", server.address, token["token"].as_str().unwrap());
        let (mut client, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        assert_eq!(server.inserted.recv().await.unwrap().user_id, UserId::new(CARRIED).unwrap());
        let whoami = ask(&mut client, json!({"action": "whoami"})).await;
        assert_eq!(whoami["userId"], WRITTEN);
    }
}

#[tokio::test]
async fn dead_letter_shows_the_name() {
    let server = start();
    let sent = json!({"userId": WRITTEN, "id": "n", "message": {"x": 1.50}}).to_string();
    assert_eq!(server.post("/v1/notifications", sent).await.status, 202);
    let lease = server.store.try_receive().unwrap();
    lease.complete(&[Outcome::Retry]);
    let letter = within(async {
        loop {
            let letters = server.get("/v1/dead-letters").await.json();
            if let Some(letter) = letters["items"].get(0) {
                return letter.clone();
            }
        }
    })
    .await;
    assert_eq!(letter["userId"], WRITTEN);
    let shown = server.get(&format!("/v1/dead-letters/{}", letter["id"].as_str().unwrap())).await;
    assert_eq!(shown.json()["notification"]["userId"], WRITTEN);
    assert!(shown.body.contains(r#""payload":{"x":1.5}"#), "{}", shown.body);
}
