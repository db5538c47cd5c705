//! Members of a hub whose messages, arrivals and history are more than the others need.

use serde_json::{Value, json};

use crate::support::{Bystander, Client, Server};

/// Settings of a hub of everyone.
const CHAT: [(&str, &str); 2] =
    [("TIDINGS_CLIENT_MESSAGES__POLICY", "same-hub"), ("TIDINGS_HUBS__EVERYONE", "all")];

fn to_all(text: &str) -> String {
    json!({ "action": "sendmessage", "message": text }).to_string()
}

/// Connects members who read nothing from here on.
async fn members(server: &Server, count: usize) -> Vec<Client> {
    let mut members = Vec::new();
    for n in 0..count {
        members.push(Client::connect(server, &format!("member-{n}")).await);
    }
    members
}

#[tokio::test]
async fn recorded_messages_to_a_hub_leave_the_disk_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let history = [
        ("TIDINGS_HISTORY__ENABLED", "true"),
        ("TIDINGS_HISTORY__PAYLOADS", "true"),
        ("TIDINGS_HISTORY__PAYLOAD_BYTES_PER_CLIENT", "1000000/1d"),
    ];
    let settings = [CHAT.as_slice(), &history].concat();
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let _members = members(&server, 20).await;
    let mut mallory = Client::connect(&server, "mallory").await;
    for _ in 0..30 {
        let answer = mallory.ask(&to_all(&"x".repeat(40_000))).await;
        assert_eq!(answer["results"][0]["accepted"], true, "{answer}");
        bystander.is_served(1).await;
    }
    let history = async |user: String| -> Vec<Value> {
        let url = format!("{}/v1/history/{user}/messages?limit=100", server.url);
        let read = server.http().get(url).bearer_auth(server.api_key()).send().await.unwrap();
        let page: Value = read.error_for_status().unwrap().json().await.unwrap();
        page["items"].as_array().unwrap().clone()
    };
    let mut kept = 0;
    for n in 0..20 {
        let items = history(format!("member-{n}")).await;
        assert_eq!(items.len(), 30);
        let payloads = items.iter().map(|item| &item["payload"]).filter(|payload| !payload.is_null());
        kept += payloads.map(|payload| payload.to_string().len()).sum::<usize>();
    }
    // A message has its text twice, and without a share each would be recorded for 22 members: 53 MB.
    assert!((100_000..1_000_000).contains(&kept), "{kept} bytes of payloads are kept");
    assert!(server.metric("tidings_history_payloads_left_out_total").await >= 1.0);
    // What the producer sends is recorded with its payload.
    let items = history("alice".to_owned()).await;
    assert!(items.iter().any(|item| item["payload"] == json!(2)), "{items:?}");
}

#[tokio::test]
async fn message_to_a_hub_counts_its_members() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [CHAT.as_slice(), &[("TIDINGS_CLIENT_MESSAGES__HUB_MEMBERS_PER_USER", "45/1h")]].concat();
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let _members = members(&server, 8).await;
    let mut mallory = Client::connect(&server, "mallory").await;
    // Ten members: four messages reach forty.
    for n in 0..10 {
        let answer = mallory.ask(&to_all("x")).await;
        assert_eq!(answer["code"] == "too-many-requests", n >= 4, "{answer}");
        bystander.is_served(1).await;
    }
    // Another member may send.
    let answer = Client::connect(&server, "bob").await.ask(&to_all("x")).await;
    assert_eq!(answer["results"][0]["accepted"], true, "{answer}");
}

#[tokio::test]
async fn coming_and_going_has_a_rate() {
    let directory = tempfile::tempdir().unwrap();
    let presence = [("TIDINGS_HUBS__PRESENCE", "true"), ("TIDINGS_HUBS__ARRIVALS_PER_USER", "5/1h")];
    let settings = [CHAT.as_slice(), &presence].concat();
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let user = contract_notifications_v1::UserId::new("mallory").unwrap();
    let (mut came, mut refused) = (0, 0);
    for _ in 0..12 {
        let token = server.gateway().token(&user).await.unwrap().token;
        match Client::handshake(&server, &format!("token={token}")).await {
            // The server has seen that it is gone when it closes its side.
            Ok(client) => {
                came += 1;
                client.leave().await;
            }
            Err(status) => {
                assert_eq!(status, 429);
                refused += 1;
            }
        }
        bystander.is_served(1).await;
    }
    assert_eq!((came, refused), (5, 7));
    let mut other = Client::connect(&server, "bob").await;
    assert_eq!(other.ask(r#"{"action":"ping"}"#).await["type"], "pong");
}

#[tokio::test]
async fn guests_of_one_address_do_no_more_than_one_user() {
    let directory = tempfile::tempdir().unwrap();
    let rates = [
        ("TIDINGS_LIMITS__EXEMPT_LOOPBACK", "false"),
        ("TIDINGS_LOGIN__GUESTS", "true"),
        ("TIDINGS_HUBS__PRESENCE", "true"),
        ("TIDINGS_HUBS__ARRIVALS_PER_USER", "5/1h"),
        ("TIDINGS_CLIENT_MESSAGES__RECIPIENTS_PER_USER", "8/1h"),
    ];
    let settings = [CHAT.as_slice(), &rates].concat();
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let (mut came, mut sent) = (Vec::new(), 0);
    for _ in 0..8 {
        let guest = server.http().post(format!("{}/v1/guest", server.url)).send().await.unwrap();
        let guest: Value = guest.json().await.unwrap();
        let user = contract_notifications_v1::UserId::new(guest["userId"].as_str().unwrap()).unwrap();
        let token = server.gateway().token(&user).await.unwrap().token;
        match Client::handshake(&server, &format!("token={token}")).await {
            Ok(client) => came.push(client),
            Err(status) => assert_eq!(status, 429),
        }
        bystander.is_served(1).await;
    }
    assert_eq!(came.len(), 5);
    for guest in &mut came {
        for _ in 0..4 {
            let answer = guest.ask(&to_all("x")).await;
            sent += usize::from(answer["type"] == "sent");
            assert!(answer["type"] == "sent" || answer["code"] == "too-many-requests", "{answer}");
        }
    }
    assert_eq!(sent, 8);
    bystander.is_served(5).await;
    // Whoever is no guest has rates of its own.
    let answer = Client::connect(&server, "bob").await.ask(&to_all("x")).await;
    assert_eq!(answer["results"][0]["accepted"], true, "{answer}");
}
