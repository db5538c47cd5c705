//! The routes and the hub behind the operations console, on a whole server: live metrics for operators alone, the
//! mailbox, and the timeline of a notification.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tidings_gateway::app::App;
use tidings_gateway::config::Config;
use tidings_gateway::server::{Metrics, prometheus};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The process's recorder, which can be installed once.
static METRICS: LazyLock<Metrics> = LazyLock::new(|| prometheus().unwrap());

const OPERATIONS: &str = "tidings:operations";

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Server {
    url: String,
    key: String,
    http: reqwest::Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

impl Server {
    fn start(directory: &Path, more: &str) -> Self {
        let text = format!(
            "data_dir = {:?}\n[server]\nlisten = \"127.0.0.1:0\"\n[store]\nreserve_bytes = 0\n{more}",
            directory.to_str().unwrap()
        );
        // Another test may have installed it.
        _ = rustls::crypto::ring::default_provider().install_default();
        let app = App::build(&Config::from_text(&text, []).unwrap(), Some(METRICS.clone())).unwrap();
        let key = std::fs::read_to_string(directory.join("api-key")).unwrap().trim().to_owned();
        let (url, (stop, stopped)) = (app.url(), oneshot::channel::<()>());
        let running = tokio::spawn(app.run(async { _ = stopped.await }));
        Self { url, key, http: reqwest::Client::new(), stop, running }
    }

    async fn stop(self) {
        drop(self.stop);
        within(self.running).await.unwrap();
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = within(request.bearer_auth(&self.key).send()).await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(self.http.post(format!("{}{path}", self.url)).body(body.to_string())).await
    }

    async fn connect_with(&self, query: &str) -> Client {
        let url = format!("{}/ws?{query}", self.url.replace("http", "ws"));
        within(Box::pin(connect_async(url))).await.unwrap().0
    }

    async fn token(&self, user: &str, hubs: &[&str]) -> String {
        let issued = self.post("/v1/token", json!({ "userId": user, "hubs": hubs })).await;
        format!("token={}", issued["token"].as_str().unwrap())
    }

    /// Repeats a request until the answer is as expected.
    async fn until(&self, path: &str, expected: impl Fn(&Value) -> bool) -> Value {
        within(async {
            loop {
                let answer = self.get(path).await;
                if expected(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }
}

async fn next(client: &mut Client) -> Value {
    loop {
        let message = within(client.next()).await.expect("the connection is open").unwrap();
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn ask(client: &mut Client, frame: Value) -> Value {
    client.send(Message::text(frame.to_string())).await.unwrap();
    next(client).await
}

async fn hubs(client: &mut Client) -> Value {
    ask(client, json!({ "action": "whoami" })).await["hubs"].clone()
}

#[tokio::test]
async fn live_metrics_are_for_operators_alone() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "a secret of at least 32 characters\n").unwrap();
    let server = Server::start(
        directory.path(),
        &format!(
            "[handshake]\njwt = true\nopen = true\n[[handshake.jwt_issuers]]\nissuer = \"elsewhere\"\n\
             algorithm = \"HS256\"\nsecret = {:?}\n[hubs]\neveryone = \"all\"\npresence = true\n\
             [client_messages]\npolicy = \"anyone\"\n",
            secret.to_str().unwrap()
        ),
    );
    let mut operator = server.connect_with(&server.token("operator-1", &[OPERATIONS]).await).await;
    let first = next(&mut operator).await;
    assert_eq!(first["type"], "notification");
    assert!(
        first["payload"]["counts"]["accepted"].is_u64() && first["payload"]["mailbox"].is_u64(),
        "{first}"
    );
    let second = next(&mut operator).await;
    assert!(second["payload"]["at"].as_u64() > first["payload"]["at"].as_u64());

    // Neither an issuer nor the client itself can join the hub, and presence does not mention the operator.
    let exp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 60;
    let claims = json!({
        "iss": "elsewhere", "aud": "tidings", "sub": "mallory", "exp": exp,
        "hubs": [OPERATIONS, "team"],
    });
    let key = jsonwebtoken::EncodingKey::from_secret(b"a secret of at least 32 characters");
    let jwt = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let mut mallory = server.connect_with(&format!("access_token={jwt}")).await;
    assert_eq!(hubs(&mut mallory).await, json!(["all", "team"]));
    let mut open = server.connect_with(&format!("client_id=eve&hubs={OPERATIONS}")).await;
    let joined = next(&mut mallory).await;
    assert_eq!(joined["payload"]["userId"], "eve", "{joined}");
    assert_eq!(hubs(&mut open).await, json!(["all"]));
    for frame in [
        json!({ "action": "sendmessage", "message": "hi", "hub": OPERATIONS }),
        json!({ "action": "message", "data": { "content": 1, "recipient": { "hub": OPERATIONS } } }),
        json!({ "action": "members", "hub": OPERATIONS }),
    ] {
        let refused = ask(&mut mallory, frame).await;
        assert_eq!((&refused["type"], &refused["code"]), (&"error".into(), &"forbidden".into()), "{refused}");
    }
    let third = next(&mut operator).await;
    assert!(third["payload"]["connections"].as_u64().unwrap() >= 1, "{third}");
    // The others got presence and answers in between, and no live metrics.
    mallory.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();
    assert_eq!(next(&mut mallory).await["type"], "pong");
    server.stop().await;
}

#[tokio::test]
async fn held_notifications_are_counted_after_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    for n in 0..30 {
        server
            .post("/v1/notifications", json!({ "userId": "jo", "id": format!("n{n}"), "payload": n }))
            .await;
    }
    let all_held = |user: &Value| user["mailbox"]["count"] == 30;
    server.until("/v1/users/jo", all_held).await;
    server.stop().await;
    let server = Server::start(directory.path(), "");
    let live_metrics = server
        .until("/v1/live-metrics", |live_metrics| {
            live_metrics["items"].as_array().unwrap().iter().any(|one| one["mailbox"] == 30)
        })
        .await;
    assert_eq!(live_metrics["everyMs"], 1_000);
    let jo = server.get("/v1/users/jo").await;
    let first = jo["mailbox"]["first"].as_array().unwrap();
    assert_eq!((first.len(), &first[0]["id"], &first[0]["bytes"]), (20, &"n0".into(), &1.into()));
    assert!(!jo.to_string().contains("payload"), "{jo}");
    // The client acknowledges them all, twice.
    let mut client = server.connect_with(&(server.token("jo", &[]).await + "&acknowledge=true")).await;
    let mut sequences = Vec::new();
    while sequences.len() < 30 {
        let frame = next(&mut client).await;
        let items = frame["items"].as_array().cloned().unwrap_or_else(|| vec![frame.clone()]);
        sequences.extend(items.into_iter().map(|item| item["sequence"].clone()));
    }
    for _ in 0..2 {
        let answer = ask(&mut client, json!({ "action": "ack", "sequences": sequences })).await;
        assert_eq!(answer["type"], "ack-ok");
    }
    server.until("/v1/users/jo", |user| user["mailbox"]["count"] == 0).await;
    let since = server.get("/v1/users/jo").await["connections"][0]["since"].as_u64().unwrap();
    let nothing = |live_metrics: &Value| {
        live_metrics["items"]
            .as_array()
            .unwrap()
            .last()
            .is_some_and(|last| last["mailbox"] == 0 && last["queued"] == 0)
    };
    server.until(&format!("/v1/live-metrics?after={since}"), nothing).await;
    server.stop().await;
}

#[tokio::test]
async fn tracked_notification_has_its_timeline() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    let path = "/v1/users/jo/notifications/n1";
    let unknown = server.get(path).await;
    assert_eq!(unknown["state"], "unknown");
    assert!(unknown["notKnown"][0].as_str().unwrap().contains("history.enabled"), "{unknown}");
    server.send(server.http.post(format!("{}{path}", server.url))).await;
    server.post("/v1/notifications", json!({ "userId": "jo", "id": "n1", "payload": 1 })).await;
    let held = server.until(path, |timeline| timeline["state"] == "held").await;
    let sequence = held["sequence"].clone();
    let mut client = server.connect_with(&(server.token("jo", &[]).await + "&acknowledge=true")).await;
    assert_eq!(next(&mut client).await["id"], "n1");
    server.until(path, |timeline| timeline["state"] == "pushed").await;
    ask(&mut client, json!({ "action": "ack", "sequences": [sequence] })).await;
    let over = server.until(path, |timeline| timeline["state"] == "acknowledged").await;
    let events: Vec<_> =
        over["events"].as_array().unwrap().iter().map(|event| event["what"].clone()).collect();
    assert_eq!(events, ["held", "delivered", "acknowledged"]);
    assert_eq!(over["sequence"], sequence);
    server.stop().await;
}

#[tokio::test]
async fn live_metrics_are_sent_only_while_watched() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    let count = |live_metrics: &Value| live_metrics["items"].as_array().unwrap().len();
    server.until("/v1/live-metrics", |live_metrics| count(live_metrics) >= 3).await;
    server.stop().await;
    // The first notification ever accepted has the first sequence.
    let server = Server::start(directory.path(), "");
    let accepted = server.post("/v1/notifications", json!({ "userId": "jo", "payload": 1 })).await;
    assert_eq!(accepted["sequence"], format!("{:039}", 1));
    server.stop().await;
}
