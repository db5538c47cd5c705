//! Actions of clients: messages to each other, broadcasts, members and history.

use contract_frames_v1::{ClientFrame, Delivery, ErrorCode, ServerFrame};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{Server, TIMEOUT};

/// A connection of a user, on a server that trusts client ids.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(server: &Server, user: &str) -> Self {
        Self::try_connect(server, user).await.expect("the handshake is accepted")
    }

    async fn try_connect(server: &Server, user: &str) -> Result<Self, Error> {
        let url = server.url.replace("http", "ws");
        connect_async(format!("{url}/ws?client_id={user}")).await.map(|(socket, _)| Self(socket))
    }

    async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Receives the next frame.
    async fn receive(&mut self) -> ServerFrame {
        let next = async {
            loop {
                match self.0.next().await.expect("the connection is open").unwrap() {
                    Message::Text(text) => return ServerFrame::from_json(&text).unwrap(),
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(TIMEOUT, next).await.expect("a frame comes in time")
    }

    /// Receives the next notification, skipping other frames.
    async fn delivery(&mut self) -> Delivery {
        loop {
            if let ServerFrame::Notification(delivery) = self.receive().await {
                return delivery;
            }
        }
    }

    /// Receives the payload of the next notification, skipping other frames.
    async fn payload(&mut self) -> Value {
        serde_json::from_str(self.delivery().await.payload.get()).unwrap()
    }

    /// Sends a frame and receives its answer, skipping notifications.
    async fn ask(&mut self, frame: Value) -> ServerFrame {
        self.send(frame).await;
        loop {
            match self.receive().await {
                ServerFrame::Notification(_) | ServerFrame::Notifications { .. } => {}
                answer => return answer,
            }
        }
    }

    async fn close(mut self) {
        self.0.close(None).await.unwrap();
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

async fn start(directory: &tempfile::TempDir, settings: &[(&str, &str)]) -> Server {
    let open = ("TIDINGS_HANDSHAKE__OPEN", "true");
    let everyone = ("TIDINGS_HUBS__EVERYONE", "all");
    let all: Vec<_> = [open, everyone].into_iter().chain(settings.iter().copied()).collect();
    Server::start_with(directory.path(), &all).await
}

const SAME_HUB: (&str, &str) = ("TIDINGS_CLIENT_MESSAGES__POLICY", "same-hub");
const ANYONE: (&str, &str) = ("TIDINGS_CLIENT_MESSAGES__POLICY", "anyone");

#[tokio::test]
async fn session_messages_are_held_and_stay_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory, &[ANYONE]).await;
    let mut jo = Client::connect(&server, "jo").await;
    for n in 0..5 {
        let frame = json!({ "action": "sendMessage", "sessions": ["al", "bo"], "n": n });
        let answer = jo.ask(frame).await;
        let ServerFrame::Sent { results, .. } = answer else { panic!("{answer:?}") };
        assert!(results.iter().all(|result| result.accepted) && results.len() == 2, "{results:?}");
    }
    for user in ["al", "bo"] {
        let mut client = Client::connect(&server, user).await;
        let mut sequences = Vec::new();
        for n in 0..5 {
            let delivery = client.delivery().await;
            let payload: Value = serde_json::from_str(delivery.payload.get()).unwrap();
            assert_eq!(payload, json!({ "action": "sendMessage", "n": n }));
            sequences.push(delivery.sequence.to_string());
        }
        let answer = client.ask(json!({ "action": "ack", "sequences": sequences })).await;
        assert!(matches!(answer, ServerFrame::AckOk { acknowledged: 5 }), "{answer:?}");
    }
    // A sender's retry is delivered once.
    let mut al = Client::connect(&server, "al").await;
    for id in ["same", "same", "other"] {
        jo.ask(json!({ "action": "sendMessage", "sessions": ["al"], "idempotencyKey": id, "text": id }))
            .await;
    }
    assert_eq!(al.payload().await["text"], "same");
    assert_eq!(al.payload().await["text"], "other");
}

#[tokio::test]
async fn chat_announces_members_and_relays_messages() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory, &[SAME_HUB, ("TIDINGS_HUBS__PRESENCE", "true")]).await;
    let mut jo = Client::connect(&server, "jo").await;
    let mut al = Client::connect(&server, "al").await;
    let joined = jo.payload().await;
    assert_eq!((&joined["presence"], &joined["userId"]), (&json!("joined"), &json!("al")));

    al.send(json!({ "action": "sendmessage", "message": "hello" })).await;
    for client in [&mut jo, &mut al] {
        let chat = client.payload().await;
        assert_eq!(
            (&chat["text"], &chat["sender"], &chat["hub"]),
            (&json!("hello"), &json!("al"), &json!("all"))
        );
        let text = chat["message"].as_str().unwrap();
        assert!(text.starts_with("[20") && text.ends_with(" - UTC]\n al  hello\n"), "{text}");
    }
    al.send(json!({ "action": "message", "data": { "content": { "x": 1 }, "recipient": "jo" } })).await;
    let direct = jo.payload().await;
    assert_eq!((&direct["action"], &direct["data"]["content"]), (&json!("message"), &json!({ "x": 1 })));
    assert_eq!((&direct["data"]["sender"], &direct["data"]["recipient"]), (&json!("al"), &json!("jo")));

    // Answers to the frames before may still be on their way.
    al.send(json!({ "action": "sendmessage", "message": "ping" })).await;
    while al.receive().await != (ServerFrame::Pong { message: Some("pong".into()), heartbeat: None }) {}
    let ServerFrame::Whoami(whoami) = al.ask(json!({ "action": "whoami" })).await else {
        panic!("no answer")
    };
    assert_eq!((whoami.user_id.as_str(), &*whoami.method, whoami.hubs.len()), ("al", "open", 1));

    al.close().await;
    assert_eq!(jo.payload().await["presence"], "left");
    // With the policy `same-hub`, a message to a user who is offline is refused.
    let answer = jo.ask(json!({ "action": "message", "data": { "content": 1, "recipient": "al" } })).await;
    let ServerFrame::Sent { results, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(results[0].code, Some(ErrorCode::Forbidden));
}

#[tokio::test]
async fn message_after_an_answered_broadcast_comes_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        start(&directory, &[SAME_HUB, ("TIDINGS_CLIENT_MESSAGES__RATE_PER_CONNECTION", "1000/1s")]).await;
    let mut jo = Client::connect(&server, "jo").await;
    let mut al = Client::connect(&server, "al").await;
    for n in 0..20 {
        let broadcast = json!({ "action": "sendmessage", "message": format!("to all {n}") });
        let direct = json!({ "action": "sendMessage", "sessions": ["al"], "text": format!("to al {n}") });
        for frame in [broadcast, direct] {
            let ServerFrame::Sent { results, .. } = jo.ask(frame).await else { panic!("not sent") };
            assert!(results[0].accepted && !results[0].pending, "{results:?}");
        }
        assert_eq!(al.payload().await["text"], format!("to all {n}"));
        assert_eq!(al.payload().await["text"], format!("to al {n}"));
    }
}

#[tokio::test]
async fn broadcast_reaches_members_beyond_one_step() {
    // One step serves a thousand members.
    const MEMBERS: usize = 1_100;
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory, &[SAME_HUB]).await;
    let names: Vec<_> = (0..MEMBERS).map(|n| format!("user-{n}")).collect();
    let mut clients: Vec<Client> = futures_util::stream::iter(&names)
        .map(|name| Client::connect(&server, name))
        .buffered(50)
        .collect()
        .await;
    clients[0].send(json!({ "action": "sendmessage", "message": "all of you" })).await;
    for client in &mut clients {
        assert_eq!(client.payload().await["text"], "all of you");
    }
}

#[tokio::test]
async fn excess_is_refused_with_retry_after() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        SAME_HUB,
        ("TIDINGS_CLIENT_MESSAGES__RATE_PER_CONNECTION", "3/1h"),
        ("TIDINGS_CONNECTIONS__MAX_PER_USER", "1"),
    ];
    let server = start(&directory, &settings).await;
    let mut jo = Client::connect(&server, "jo").await;
    match Client::try_connect(&server, "jo").await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 429),
        other => panic!("{:?}", other.err()),
    }
    let hello = || json!({ "action": "sendmessage", "message": "hello" });
    for _ in 0..3 {
        assert!(matches!(jo.ask(hello()).await, ServerFrame::Sent { .. }));
    }
    let ServerFrame::Error { code: ErrorCode::TooManyRequests, retry_after: Some(wait), .. } =
        jo.ask(hello()).await
    else {
        panic!("not refused")
    };
    assert!((1..=3_600_000).contains(&wait), "{wait}");
    // A closed connection makes room for another.
    jo.close().await;
    let again = async {
        while Client::try_connect(&server, "jo").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, again).await.expect("there is room again");
}

#[tokio::test]
async fn members_action_lists_connected_users() {
    let directory = tempfile::tempdir().unwrap();
    let team = ("TIDINGS_HUBS__MEMBERS", r#"["team: al bo jo", "ops: bo"]"#);
    let server = start(&directory, &[SAME_HUB, team]).await;
    let (mut jo, _jo) = (Client::connect(&server, "jo").await, Client::connect(&server, "jo").await);
    let al = Client::connect(&server, "al").await;
    let all = json!({ "action": "members" });
    let everybody = json!({ "type": "members", "hub": "all", "users": ["al", "jo"] });
    assert_eq!(members(&mut jo, &all).await, everybody);
    let first = members(&mut jo, &json!({ "action": "members", "limit": 1 })).await;
    assert_eq!((&first["users"], &first["next"]), (&json!(["al"]), &json!("al")));
    let rest = members(&mut jo, &json!({ "action": "members", "limit": 1, "after": "al" })).await;
    assert_eq!(rest, json!({ "type": "members", "hub": "all", "users": ["jo"] }));
    // The configuration has the members of the hub, of whom only connected users are listed.
    let team = json!({ "action": "members", "hub": "team" });
    assert_eq!(members(&mut jo, &team).await["users"], json!(["al", "jo"]));
    let refused = jo.ask(json!({ "action": "members", "hub": "ops" })).await;
    assert!(matches!(refused, ServerFrame::Error { code: ErrorCode::Forbidden, .. }), "{refused:?}");

    al.close().await;
    let until_alone = async {
        for hub in [&all, &team] {
            while members(&mut jo, hub).await["users"] != json!(["jo"]) {}
        }
    };
    tokio::time::timeout(TIMEOUT, until_alone).await.expect("a user who closed is no longer listed");
}

/// Asks for a hub's members and returns the answer as JSON.
async fn members(client: &mut Client, query: &Value) -> Value {
    let answer = client.ask(query.clone()).await;
    assert!(matches!(answer, ServerFrame::Members { .. }), "{answer:?}");
    serde_json::from_str(&answer.to_json()).unwrap()
}

#[tokio::test]
async fn client_reads_its_users_history() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory, &[ANYONE, ("TIDINGS_HISTORY__ENABLED", "true")]).await;
    let mut jo = Client::connect(&server, "jo").await;
    let sent =
        jo.ask(json!({ "action": "sendMessage", "sessions": ["jo"], "idempotencyKey": "to-me", "text": "hello" })).await;
    let ServerFrame::Sent { id, .. } = sent else { panic!("{sent:?}") };
    let recorded = async {
        loop {
            let answer = jo.ask(json!({ "action": "history" })).await;
            let ServerFrame::History { items, .. } = answer else { panic!("{answer:?}") };
            if let Some(item) = items.first() {
                return serde_json::from_str::<Value>(item.get()).unwrap();
            }
        }
    };
    let item = tokio::time::timeout(TIMEOUT, recorded).await.expect("the delivery is recorded");
    assert_eq!((&item["id"], &item["what"]), (&json!(id), &json!("delivered")));
    assert_eq!((&item["source"], &item["kind"]), (&json!("user/jo"), &json!("sendMessage")));
    let ServerFrame::History { items, .. } = jo.ask(json!({ "action": "history", "of": "sessions" })).await
    else {
        panic!("no answer")
    };
    let session: Value = serde_json::from_str(items[0].get()).unwrap();
    assert_eq!((&session["sourceIp"], &session["method"]), (&json!("127.0.0.1"), &json!("open")));
    assert!(session.get("closedAt").is_none());
}

#[tokio::test]
async fn sending_is_off_by_default_and_actions_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory, &[]).await;
    let mut jo = Client::connect(&server, "jo").await;
    let answer = jo.ask(json!({ "action": "sendmessage", "message": "hello" })).await;
    assert!(matches!(answer, ServerFrame::Error { code: ErrorCode::Forbidden, .. }), "{answer:?}");
    let answer = jo.ask(json!({ "action": "dance" })).await;
    let ServerFrame::Error { code: ErrorCode::UnknownAction, message, .. } = answer else {
        panic!("{answer:?}")
    };
    assert!(
        message.contains("sendMessage, message, sendmessage, ping, ack, history, members, whoami"),
        "{message}"
    );
    let ack = ClientFrame::Ack { sequences: Vec::new() }.to_json();
    let answer = jo.ask(serde_json::from_str(&ack).unwrap()).await;
    assert_eq!(answer, ServerFrame::AckOk { acknowledged: 0 });
}
