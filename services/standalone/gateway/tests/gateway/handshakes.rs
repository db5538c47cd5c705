//! Handshakes by every method, on a whole server.

use std::path::Path;
use std::time::SystemTime;

use axum::Router;
use axum::routing::get;
use ring::hmac;
use serde_json::{Value, json};
use tidings_client::Gateway;
use tidings_gateway::app::App;
use tidings_gateway::config::{Config, Defaults};
use tidings_identity::jwt::{JwtIssuer, JwtSubject};
use tidings_identity::secrets::Key256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use contract_notifications_v1::UserId;
use shared_ports::{Clock as _, SystemClock};

use crate::test_server::{Answer, within};

const ORIGIN: &str = "https://app.example.com";
const SECRET: &str = "a secret of at least 32 characters";

/// A server with its data in a directory.
struct Server {
    url: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Server {
    fn start(directory: &Path, handshake: &str) -> Self {
        let data = directory.join("data");
        let text = format!(
            "data_dir = {:?}\n[server]\nlisten = \"127.0.0.1:0\"\n[handshake]\n{handshake}",
            data.to_str().unwrap()
        );
        Self::of(&Config::from_text(&text, []).unwrap())
    }

    fn of(config: &Config) -> Self {
        let app = App::build(config, None).unwrap();
        let (url, (stop, stopped)) = (app.url(), oneshot::channel::<()>());
        let running = tokio::spawn(app.run(async {
            let _ = stopped.await;
        }));
        Self { url, stop, running }
    }

    async fn stop(self) {
        drop(self.stop);
        within(self.running).await.unwrap();
    }

    fn gateway(&self, directory: &Path) -> Gateway {
        let key = std::fs::read_to_string(directory.join("data/api-key")).unwrap();
        Gateway::new(&self.url).unwrap().with_api_key(key.trim())
    }

    /// Requests a WebSocket and returns the head of the answer.
    async fn handshake(&self, query: &str, headers: &[(&str, &str)]) -> Answer {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.handshake_of(query, &headers).await
    }

    /// As [`Self::handshake`], with headers of any bytes.
    async fn handshake_of(&self, query: &str, headers: &[(&str, &[u8])]) -> Answer {
        let head = format!(
            "GET /ws{query} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        let mut head = head.into_bytes();
        for (name, value) in headers {
            head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        let mut socket = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).await.unwrap();
        let mut answer = Vec::new();
        within(async {
            // An oversized head is not read to its end.
            let _ = socket.write_all(&head).await;
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(socket.read_u8().await.expect("there is an answer"));
            }
        })
        .await;
        Answer::parse(&answer)
    }

    /// Sends a request, with a body if there is one, and returns status and answer.
    async fn call(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.url);
        let client = reqwest::Client::new();
        let request = body.map_or_else(|| client.get(&url), |body| client.post(&url).body(body.to_string()));
        let answer = within(request.send()).await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    async fn status(&self, query: &str, headers: &[(&str, &str)]) -> u16 {
        self.handshake(query, headers).await.status
    }
}

/// Logs a user in and returns the server's JSON Web Token.
async fn own_jwt(server: &Server, directory: &Path) -> String {
    let gateway = server.gateway(directory);
    gateway.add_user("zoe", "correct horse").await.unwrap();
    gateway.login("zoe", "correct horse").await.unwrap().id_token
}

fn secret_file(directory: &Path) -> String {
    let path = directory.join("secret");
    std::fs::write(&path, format!("{SECRET}\nthe one before\n")).unwrap();
    format!("hmac = true\nhmac_secret = {:?}\n", path.to_str().unwrap())
}

fn date_time() -> String {
    jiff::Timestamp::try_from(SystemTime::now()).unwrap().to_string()
}

fn sign(session: &str, date_time: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, format!("{session}:{date_time}").as_bytes()))
}

#[tokio::test]
async fn own_jwt_is_accepted_in_every_place() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &format!("jwt = true\nallowed_origins = [{ORIGIN:?}]\n"));
    let jwt = own_jwt(&server, dir.path()).await;
    let (cookie, offer) = (format!("theme=dark; auth={jwt}"), format!("jwt.{jwt}"));
    for (query, headers) in [
        (format!("?access_token={jwt}"), vec![]),
        (format!("?token=Bearer%20{jwt}"), vec![]),
        (format!("?Authorization=Bearer%20{jwt}"), vec![]),
        (String::new(), vec![("AUTHORIZATION", format!("Bearer {jwt}"))]),
        (String::new(), vec![("cookie", cookie.clone()), ("origin", ORIGIN.to_owned())]),
        (String::new(), vec![("Sec-WebSocket-Protocol", offer.clone())]),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = server.handshake(&query, &headers).await;
        assert_eq!(answer.status, 101, "{query} {headers:?}");
        // Browsers drop a connection whose answer has none of the subprotocols that they offered.
        let offered =
            headers.iter().find(|(name, _)| *name == "Sec-WebSocket-Protocol").map(|(_, offer)| *offer);
        assert_eq!(answer.header("sec-websocket-protocol"), offered);
    }
    let both = format!("tidings.v1, {offer}");
    let answer = server.handshake("", &[("sec-websocket-protocol", &both)]).await;
    assert_eq!(answer.header("sec-websocket-protocol"), Some("tidings.v1"));

    for (headers, status) in [
        (vec![("cookie", cookie.as_str())], 403),
        (vec![("cookie", &cookie), ("origin", "https://evil.example")], 403),
        (vec![("authorization", "Bearer a.b.c")], 403),
        (vec![], 401),
    ] {
        assert_eq!(server.status("", &headers).await, status);
    }
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(server.status(&format!("?access_token={jwt}"), &foreign).await, 403);
    server.stop().await;
}

/// The client of serverless-async-messaging-gateway asks with GET, and sends its ID token without a scheme.
#[tokio::test]
async fn token_is_issued_for_a_bare_id_token() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = "[[handshake.jwt_issuers]]\nissuer = \"pool\"\nalgorithm = \"HS256\"\naudiences = [\"app\"]\nuser_prefix = \"pool:\"\n";
    let secret = dir.path().join("issuer-secret");
    std::fs::write(&secret, SECRET).unwrap();
    let server = Server::start(dir.path(), &format!("{issuer}secret = {:?}\n", secret.to_str().unwrap()));
    let sign = |claims: Value| {
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    };
    let exp = SystemClock.now().millis() / 1_000 + 60;
    let of_the_pool = sign(json!({"iss": "pool", "aud": "app", "sub": "zoe", "exp": exp}));
    let own = own_jwt(&server, dir.path()).await;
    let ask = async |method: reqwest::Method, authorization: String| {
        let request = reqwest::Client::new().request(method, format!("{}/v1/token", server.url));
        within(request.header("Authorization", authorization).send()).await.unwrap()
    };
    for jwt in [&of_the_pool, &own] {
        for method in [reqwest::Method::GET, reqwest::Method::POST] {
            for authorization in [jwt.clone(), format!("Bearer {jwt}")] {
                let answer = ask(method.clone(), authorization).await;
                assert_eq!(answer.status(), 200);
                let token: Value = answer.json().await.unwrap();
                let query = format!("?token={}", token["token"].as_str().unwrap());
                assert_eq!(server.status(&query, &[]).await, 101);
            }
        }
    }
    let expired = sign(json!({"iss": "pool", "aud": "app", "sub": "zoe", "exp": 1}));
    let endless = sign(json!({"iss": "pool", "aud": "app", "sub": "zoe"}));
    let strange = sign(json!({"iss": "elsewhere", "sub": "zoe", "exp": exp}));
    for (jwt, reason) in
        [(expired, "expired"), (endless, "exp is missing"), (strange, "issuer is not trusted")]
    {
        let answer = ask(reqwest::Method::GET, jwt).await;
        let status = answer.status();
        let problem: Value = answer.json().await.unwrap();
        assert!(status == 403 && problem["detail"].as_str().unwrap().contains(reason), "{problem}");
    }
    let (status, problem) = server.call("/v1/token", None).await;
    assert!(status == 401 && problem["detail"].as_str().unwrap().contains("ID token"), "{problem}");
    server.stop().await;
}

/// HTTP names no encoding for headers: clients send UTF-8 or Latin-1.
#[tokio::test]
async fn session_may_have_spaces_and_accents() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &secret_file(dir.path()));
    let latin_1: Vec<u8> = "José 2".chars().map(|character| u8::try_from(character).unwrap()).collect();
    for (session, bytes) in
        [("a session", b"a session".as_slice()), ("José 1", "José 1".as_bytes()), ("José 2", &latin_1)]
    {
        let now = date_time();
        let signature = sign(session, &now, SECRET);
        let headers =
            [("X-Session", bytes), ("X-Date-Time", now.as_bytes()), ("X-Signature", signature.as_bytes())];
        assert_eq!(server.handshake_of("", &headers).await.status, 101, "{session}");
    }
    server.stop().await;
}

#[tokio::test]
async fn own_jwt_is_refused_while_jwt_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), "");
    let jwt = own_jwt(&server, dir.path()).await;
    assert_eq!(server.status(&format!("?access_token={jwt}"), &[]).await, 401);
    server.stop().await;
}

#[tokio::test]
async fn keys_of_another_issuer_are_fetched() {
    let other = JwtIssuer::new(&Key256::from_bytes([3; 32]), "other", "tidings").unwrap();
    let jwks = serde_json::to_string(&other.jwks()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let keys = Router::new().route("/keys", get(async || jwks));
    tokio::spawn(async move { axum_serve(listener, keys).await });

    let dir = tempfile::tempdir().unwrap();
    let issuer =
        format!("[[handshake.jwt_issuers]]\nissuer = \"other\"\nalgorithm = \"EdDSA\"\njwks_url = {url:?}\n");
    let server =
        Server::start(dir.path(), &format!("jwt = true\ntoken = false\n{issuer}audiences = [\"tidings\"]\n"));
    let issue = |issuer: &JwtIssuer| {
        let subject = JwtSubject { user_id: UserId::new("zoe").unwrap(), username: String::new() };
        format!("?access_token={}", issuer.issue(subject, SystemClock.now()).unwrap().token)
    };
    assert_eq!(server.status(&issue(&other), &[]).await, 101);
    let stranger = JwtIssuer::new(&Key256::from_bytes([4; 32]), "other", "tidings").unwrap();
    assert_eq!(server.status(&issue(&stranger), &[]).await, 403);
    server.stop().await;
}

/// Serves until the runtime ends.
async fn axum_serve(listener: TcpListener, router: Router) {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    while let Ok((socket, _)) = listener.accept().await {
        let service = TowerToHyperService::new(router.clone());
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        tokio::spawn(connection);
    }
}

#[tokio::test]
async fn unknown_subprotocol_is_refused_before_the_credential_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &secret_file(dir.path()));
    let now = date_time();
    let signature = sign("s-1", &now, SECRET);
    let signed = [("X-Session", "s-1"), ("X-Date-Time", now.as_str()), ("X-Signature", signature.as_str())];
    for offer in ["my-app.v2", "my-app.v2, token.t", "graphql-ws, tidings.v2"] {
        let unknown = [&signed[..], &[("Sec-WebSocket-Protocol", offer)]].concat();
        assert_eq!(server.status("", &unknown).await, 400, "{offer}");
    }
    assert_eq!(server.status("", &signed).await, 101, "the signature is still unused");
    server.stop().await;
}

#[tokio::test]
async fn signature_is_accepted_once_across_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let handshake = secret_file(dir.path());
    let server = Server::start(dir.path(), &handshake);
    let now = date_time();
    let signature = sign("s-1", &now, SECRET);
    let signed = [("x-SESSION", "s-1"), ("X-Date-time", now.as_str()), ("x-signature", signature.as_str())];
    assert_eq!(server.status("", &signed).await, 101);
    assert_eq!(server.status("", &signed).await, 403);
    // Incomplete headers are reported as such.
    assert_eq!(server.status("", &signed[..2]).await, 400);
    let previous = sign("s-2", &now, "the one before");
    let by_previous =
        [("X-Session", "s-2"), ("X-Date-Time", now.as_str()), ("X-Signature", previous.as_str())];
    assert_eq!(server.status("", &by_previous).await, 101);
    server.stop().await;

    let server = Server::start(dir.path(), &handshake);
    for replay in [&signed, &by_previous] {
        assert_eq!(server.status("", replay).await, 403);
    }
    let fresh = date_time();
    let signature = sign("s-1", &fresh, SECRET);
    let signed = [("X-Session", "s-1"), ("X-Date-Time", fresh.as_str()), ("X-Signature", signature.as_str())];
    assert_eq!(server.status("", &signed).await, 101);
    server.stop().await;
}

#[tokio::test]
async fn cookie_of_a_mebibyte_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &format!("jwt = true\nallowed_origins = [{ORIGIN:?}]\n"));
    let jwt = own_jwt(&server, dir.path()).await;
    for cookie in ["x".repeat(1024 * 1024), "a=b; ".repeat(200 * 1024)] {
        let cookie = format!("auth={jwt}; {cookie}");
        // The head exceeds the server's limit.
        assert_eq!(server.status("", &[("origin", ORIGIN), ("cookie", &cookie)]).await, 431);
    }
    let large = format!("auth={}", "x".repeat(9 * 1024));
    assert_eq!(server.status("", &[("origin", ORIGIN), ("cookie", &large)]).await, 403);
    assert_eq!(server.status(&format!("?access_token={jwt}"), &[]).await, 101);
    server.stop().await;
}

#[test]
fn missing_secret_is_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "data_dir = {:?}\n[server]\nlisten = \"127.0.0.1:0\"\n[handshake]\nhmac = true\nhmac_secret = \"/nowhere/secret\"\n",
        dir.path().to_str().unwrap()
    );
    let config = Config::from_text(&text, []).unwrap();
    let error = App::build(&config, None).err().unwrap().to_string();
    assert_eq!(error, "the secret /nowhere/secret can't be read");
}

#[tokio::test]
async fn development_has_shown_users_and_guests() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::load(Defaults::Development, None, []).unwrap();
    config.data_dir = directory.path().join("data");
    config.server.listen.set_port(0);
    let server = Server::of(&config);
    let (_, info) = server.call("/v1/info", None).await;
    assert_eq!((&info["development"], &info["sending"]), (&json!(true), &json!("anyone")));
    assert_eq!((&info["handshake"], &info["login"]["guests"]), (&json!(["token", "jwt"]), &json!(true)));
    let shown = info["login"]["users"][0].clone();
    let (status, login) = server.call("/v1/login", Some(shown.clone())).await;
    assert_eq!(status, 200, "{login}");
    let jwt = login["idToken"].as_str().unwrap();
    assert_eq!(server.status(&format!("?token={jwt}"), &[]).await, 101);
    let wrong = json!({ "username": shown["username"], "password": "wrong" });
    assert_eq!(server.call("/v1/login", Some(wrong)).await.0, 401);
    let (status, guest) = server.call("/v1/guest", Some(Value::Null)).await;
    assert_eq!(status, 200);
    assert!(guest["userId"].as_str().unwrap().starts_with("guest-"), "{guest}");
    let jwt = guest["idToken"].as_str().unwrap();
    assert_eq!(server.status(&format!("?token={jwt}"), &[]).await, 101);
    server.stop().await;
}

#[tokio::test]
async fn production_has_no_shown_users_or_guests() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    let (_, info) = server.call("/v1/info", None).await;
    assert_eq!((&info["development"], &info["login"]["users"]), (&json!(false), &json!([])));
    let alice = json!({ "username": "alice", "password": "alice" });
    assert_eq!(server.call("/v1/login", Some(alice)).await.0, 401);
    assert_eq!(server.call("/v1/guest", Some(Value::Null)).await.0, 404);
    server.stop().await;
}

/// The way of guests into a chat whose users have tokens of another login (`docs/examples/chat.toml`).
#[tokio::test]
async fn guests_connect_beside_tokens_of_another_login() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("issuer-secret");
    std::fs::write(&secret, SECRET).unwrap();
    let issuer = format!(
        "[[handshake.jwt_issuers]]\nalgorithm = \"HS256\"\nuser_prefix = \"login:\"\nsecret = {:?}\n",
        secret.to_str().unwrap()
    );
    let server =
        Server::start(dir.path(), &format!("token = false\njwt = true\n{issuer}[login]\nguests = true\n"));
    let (status, guest) = server.call("/v1/guest", Some(Value::Null)).await;
    assert_eq!(status, 200, "{guest}");
    let jwt = guest["idToken"].as_str().unwrap();
    assert_eq!(server.status(&format!("?Authorization=Bearer%20{jwt}"), &[]).await, 101);
    server.stop().await;
}

/// An issuer without a prefix could name the users with an account, so only one of them may be there.
#[tokio::test]
async fn accounts_are_not_shared_with_an_issuer() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("issuer-secret");
    std::fs::write(&secret, SECRET).unwrap();
    let issuer = |more: &str| {
        let secret = secret.to_str().unwrap();
        format!(
            "[[handshake.jwt_issuers]]\nissuer = \"pool\"\nalgorithm = \"HS256\"\nsecret = {secret:?}\n{more}"
        )
    };
    let add = async |server: &Server, name: &str| {
        let user = json!({ "username": name, "password": "correct horse" });
        // Making the gateway's client installs a TLS provider, which every client needs.
        drop(server.gateway(dir.path()));
        let request = reqwest::Client::new().post(format!("{}/v1/users", server.url)).json(&user);
        let key = std::fs::read_to_string(dir.path().join("data/api-key")).unwrap();
        let answer = within(request.bearer_auth(key.trim()).send()).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let server = Server::start(dir.path(), &issuer(""));
    let (status, problem) = add(&server, "zoe").await;
    assert!(status == 409 && problem.contains("user_prefix"), "{problem}");
    server.stop().await;

    let server = Server::start(dir.path(), &issuer("user_prefix = \"pool:\"\n"));
    let (status, problem) = add(&server, "pool:zoe").await;
    assert!(status == 409 && problem.contains("pool:"), "{problem}");
    assert_eq!(add(&server, "zoe").await.0, 201);
    server.stop().await;

    let config = |more: &str| {
        let text = format!(
            "data_dir = {:?}\n[server]\nlisten = \"127.0.0.1:0\"\n[handshake]\n{more}{}",
            dir.path().join("data").to_str().unwrap(),
            issuer("")
        );
        tidings_gateway::config::Config::from_text(&text, []).unwrap()
    };
    let Err(error) = tidings_gateway::app::App::build(&config(""), None) else { panic!("it starts") };
    assert!(error.to_string().contains("this server has accounts"), "{error}");
    assert!(tidings_gateway::app::App::build(&config("shared_user_ids = true\n"), None).is_ok());
}
