//! Blocks, sign-outs and revoked tokens, on a whole server with open connections.

use std::path::Path;

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::test_server::within;
use crate::whole_server::WholeServer;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Server(WholeServer);

impl Server {
    fn start(directory: &Path, more: &str) -> Self {
        Self(WholeServer::start(directory, &format!("[handshake]\njwt = true\n{more}")))
    }

    async fn stop(self) {
        self.0.stop().await;
    }

    async fn call(&self, method: Method, path: &str, bearer: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = self.0.request(method, path, bearer).body(body);
        let answer = within(request.send()).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Sends a request of the operator.
    async fn operate(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.call(method, path, &self.0.key, body).await
    }

    async fn add_user(&self, name: &str) {
        self.0.add_user(name).await;
    }

    /// Logs a user in and returns the ID token.
    async fn login(&self, name: &str, password: &str) -> Result<String, u16> {
        let body = json!({"username": name, "password": password});
        let (status, login) = self.call(Method::POST, "/v1/login", "none", body).await;
        login["idToken"].as_str().map(str::to_owned).ok_or(status)
    }

    /// Gets a connect token for a user of the ID token.
    async fn token(&self, bearer: &str, body: Value) -> Result<String, u16> {
        let (status, token) = self.call(Method::POST, "/v1/token", bearer, body).await;
        token["token"].as_str().map(str::to_owned).ok_or(status)
    }

    /// Connects, or returns the status of the refusal.
    async fn connect(&self, query: &str) -> Result<Client, u16> {
        let url = format!("{}/ws?{query}", self.0.url.replacen("http", "ws", 1));
        match within(Box::pin(tokio_tungstenite::connect_async(url))).await {
            Ok((client, _)) => Ok(client),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Waits until the server closes a connection.
async fn closed(mut client: Client) {
    within(async {
        loop {
            match client.next().await {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn blocked_user_is_out_until_the_block_is_lifted() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    server.add_user("mallory").await;
    let jwt = server.login("mallory", "correct horse").await.unwrap();
    let early = server.token(&server.0.key, json!({"userId": "mallory"})).await.unwrap();
    let open = [
        server.connect(&format!("token={jwt}")).await.unwrap(),
        server.connect(&format!("token={}", server.token(&jwt, Value::Null).await.unwrap())).await.unwrap(),
    ];
    let bystander = server.token(&server.0.key, json!({"userId": "alice"})).await.unwrap();
    let bystander = server.connect(&format!("token={bystander}")).await.unwrap();

    let (status, answer) = server.operate(Method::PUT, "/v1/users/mallory/block", Value::Null).await;
    assert_eq!((status, answer), (200, json!({"closed": 2})));
    for client in open {
        closed(client).await;
    }
    // Neither an ID token, nor a connect token of before, nor a new one, nor the password lets the user in.
    assert_eq!(server.connect(&format!("token={jwt}")).await.err(), Some(403));
    assert_eq!(server.connect(&format!("token={early}")).await.err(), Some(403));
    assert_eq!(server.token(&jwt, Value::Null).await, Err(403));
    let late = server.token(&server.0.key, json!({"userId": "mallory"})).await.unwrap();
    assert_eq!(server.connect(&format!("token={late}")).await.err(), Some(403));
    assert_eq!(server.login("mallory", "correct horse").await, Err(401));
    let (_, listed) = server.operate(Method::GET, "/v1/revocations", Value::Null).await;
    assert_eq!(listed, json!({"items": [{"userId": "mallory", "refused": true}]}));
    server.stop().await;

    let server = Server::start(directory.path(), "");
    assert_eq!(server.connect(&format!("token={jwt}")).await.err(), Some(403));
    assert_eq!(server.operate(Method::DELETE, "/v1/users/mallory/block", Value::Null).await.0, 204);
    assert!(server.connect(&format!("token={jwt}")).await.is_ok());
    drop(bystander);
    server.stop().await;
}

#[tokio::test]
async fn new_password_signs_out_and_removal_ends_the_account() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    server.add_user("zoe").await;
    let old = server.login("zoe", "correct horse").await.unwrap();
    let open = server.connect(&format!("token={old}")).await.unwrap();
    let path = "/v1/users/zoe/password";
    let (status, problem) = server.operate(Method::PUT, path, json!({"password": "password"})).await;
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("too common"), "{problem}");
    let changed = server.operate(Method::PUT, path, json!({"password": "battery staple"})).await;
    assert_eq!(changed, (200, json!({"closed": 1})));
    closed(open).await;
    assert_eq!(server.login("zoe", "correct horse").await, Err(401));
    assert_eq!(server.connect(&format!("token={old}")).await.err(), Some(403));
    // A token of just now is accepted, although JSON Web Tokens have seconds.
    let new = server.login("zoe", "battery staple").await.unwrap();
    let open = server.connect(&format!("token={new}")).await.unwrap();

    assert_eq!(
        server.operate(Method::DELETE, "/v1/users/zoe", Value::Null).await,
        (200, json!({"closed": 1}))
    );
    closed(open).await;
    assert_eq!(server.login("zoe", "battery staple").await, Err(401));
    assert_eq!(server.connect(&format!("token={new}")).await.err(), Some(403));
    assert_eq!(server.operate(Method::DELETE, "/v1/users/zoe", Value::Null).await.0, 404);
    assert_eq!(server.operate(Method::PUT, path, json!({"password": "battery staple"})).await.0, 404);
    server.stop().await;
}

#[tokio::test]
async fn revoked_token_ends_its_connections_and_others_close_on_demand() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    server.add_user("zoe").await;
    let jwt = server.login("zoe", "correct horse").await.unwrap();
    let other = server.login("zoe", "correct horse").await.unwrap();
    let claims = jwt.split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let jti = serde_json::from_slice::<Value>(&claims).unwrap()["jti"].as_str().unwrap().to_owned();
    let unused = server.token(&jwt, Value::Null).await.unwrap();
    let stand_on_it = [
        server.connect(&format!("token={jwt}")).await.unwrap(),
        server.connect(&format!("token={}", server.token(&jwt, Value::Null).await.unwrap())).await.unwrap(),
    ];
    let (status, _) = server.operate(Method::PUT, &format!("/v1/revoked-tokens/{jti}"), Value::Null).await;
    assert_eq!(status, 204);
    for client in stand_on_it {
        closed(client).await;
    }
    assert_eq!(server.connect(&format!("token={unused}")).await.err(), Some(403));
    assert_eq!(server.connect(&format!("token={jwt}")).await.err(), Some(403));
    assert_eq!(server.token(&jwt, Value::Null).await, Err(403));
    let open = server.connect(&format!("token={other}")).await.unwrap();

    let (_, answer) = server.operate(Method::DELETE, "/v1/users/zoe/connections", Value::Null).await;
    assert_eq!(answer, json!({"closed": 1}));
    closed(open).await;
    let open = server.connect(&format!("token={other}")).await.unwrap();
    let (_, answer) = server.operate(Method::POST, "/v1/users/zoe/sign-out", Value::Null).await;
    assert_eq!(answer, json!({"closed": 1}));
    closed(open).await;
    assert_eq!(server.connect(&format!("token={other}")).await.err(), Some(403));
    for (method, path, body) in [
        (Method::PUT, "/v1/users/zoe/block", json!({"until": 5})),
        (Method::PUT, "/v1/users/zoe/block", json!({"till": 5})),
        (Method::POST, "/v1/users/zoe/sign-out", json!({"issuedBefore": 99_999_999_999_999_u64})),
        // In seconds.
        (Method::POST, "/v1/users/zoe/sign-out", json!({"issuedBefore": 1_800_000_000})),
        (Method::PUT, "/v1/revoked-tokens/j", json!({"until": 1_800_000_000})),
    ] {
        assert_eq!(server.operate(method, path, body).await.0, 400);
    }
    server.stop().await;
}

#[tokio::test]
async fn connection_by_connect_token_ends_with_the_credential_that_asked() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "[connections]\nclose_when_expired = true\n");
    let now = shared_ports::Clock::now(&shared_ports::SystemClock).millis();
    let body = json!({"name": "brief", "scopes": ["token"], "expiresAt": now + 2_500});
    let (_, added) = server.operate(Method::POST, "/v1/keys", body).await;
    let token = server.token(added["apiKey"].as_str().unwrap(), json!({"userId": "zoe"})).await.unwrap();
    let brief = server.connect(&format!("token={token}")).await.unwrap();
    let (_, zoe) = server.operate(Method::GET, "/v1/users/zoe", Value::Null).await;
    assert_eq!(zoe["connections"][0]["expiresAt"], now + 2_500);
    closed(brief).await;
    // A key without an end gives connections without one.
    let token = server.token(&server.0.key, json!({"userId": "ada"})).await.unwrap();
    let _open = server.connect(&format!("token={token}")).await.unwrap();
    let (_, ada) = server.operate(Method::GET, "/v1/users/ada", Value::Null).await;
    assert_eq!(ada["connections"][0].get("expiresAt"), None);
    server.stop().await;
}

#[tokio::test]
async fn revoked_key_ends_the_connections_of_its_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    let body = json!({"name": "shop", "scopes": ["token"]});
    let (_, added) = server.operate(Method::POST, "/v1/keys", body).await;
    let key = added["apiKey"].as_str().unwrap();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(server.token(key, json!({"userId": "zoe"})).await.unwrap());
    }
    let ended = server.connect(&format!("token={}", tokens[0])).await.unwrap();
    let token = server.token(&server.0.key, json!({"userId": "zoe"})).await.unwrap();
    let _stays = server.connect(&format!("token={token}")).await.unwrap();
    assert_eq!(server.operate(Method::DELETE, "/v1/keys/shop", Value::Null).await.0, 204);
    closed(ended).await;
    assert_eq!(server.connect(&format!("token={}", tokens[1])).await.err(), Some(403));
    // Another key of the same name is another key.
    let body = json!({"name": "shop", "scopes": ["token"]});
    assert_eq!(server.operate(Method::POST, "/v1/keys", body).await.0, 201);
    assert_eq!(server.connect(&format!("token={}", tokens[2])).await.err(), Some(403));
    let (_, zoe) = server.operate(Method::GET, "/v1/users/zoe", Value::Null).await;
    assert_eq!(zoe["connections"].as_array().map(Vec::len), Some(1));
    server.stop().await;
}

#[tokio::test]
async fn array_is_no_object() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    for (method, path, body) in [
        (Method::POST, "/v1/keys", json!(["mine", ["admin"]])),
        (Method::PUT, "/v1/users/zoe/block", json!([])),
        (Method::POST, "/v1/users/zoe/sign-out", json!([1])),
    ] {
        let (status, problem) = server.operate(method, path, body).await;
        assert_eq!(status, 400, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("not a JSON object"), "{problem}");
    }
    server.stop().await;
}
