//! Strangers at the login, and users and guests who ask for too much.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Bystander, Server};

/// The addresses of this machine are limited as those of others.
const LIMITED: (&str, &str) = ("TIDINGS_LIMITS__EXEMPT_LOOPBACK", "false");

const SOCKETS: usize = 80;
const LOOPS: usize = 5;

/// The server, and a client of strangers.
struct Target {
    server: Server,
    http: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Target {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(directory.path(), &[settings, &[LIMITED]].concat()).await;
        let http = server.http();
        Self { server, http, _directory: directory }
    }
}

async fn post(target: &Target, path: &str, bearer: &str, body: &Value) -> reqwest::Response {
    let request = target.http.post(format!("{}{path}", target.server.url)).bearer_auth(bearer);
    request.body(body.to_string()).send().await.unwrap()
}

async fn add_user(target: &Target, name: &str) {
    let body = json!({"username": name, "password": "correct horse"});
    let added = post(target, "/v1/users", &target.server.api_key(), &body).await;
    assert_eq!(added.status(), StatusCode::CREATED);
}

async fn login(target: &Target, name: &str, password: &str) -> reqwest::Response {
    post(target, "/v1/login", "none", &json!({"username": name, "password": password})).await
}

#[tokio::test]
async fn looping_sockets_lock_nobody_out() {
    let target = Target::start(&[]).await;
    let mut bystander = Bystander::start(&target.server, "alice").await;
    add_user(&target, "victim").await;
    assert_eq!(login(&target, "victim", "correct horse").await.status(), StatusCode::OK);
    let before = target.server.resident_bytes();
    let attacker = async |socket: usize| {
        let mut hashed = 0;
        for n in 0..LOOPS {
            let name = format!("name{}", (socket * LOOPS + n) % 40);
            let status = login(&target, &name, "guess of a password").await.status();
            assert!([StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status), "{status}");
            hashed += usize::from(status == StatusCode::UNAUTHORIZED);
        }
        hashed
    };
    let others = async {
        // The victim has logged in from here before. An operator has a lane of its own.
        assert_eq!(login(&target, "victim", "correct horse").await.status(), StatusCode::OK);
        add_user(&target, "another").await;
        bystander.is_served(20).await;
        assert_eq!(login(&target, "victim", "correct horse").await.status(), StatusCode::OK);
    };
    let (hashed, ()) = tokio::join!(join_all((0..SOCKETS).map(attacker)), others);
    let hashed: usize = hashed.into_iter().sum();
    assert!(hashed <= SOCKETS * LOOPS, "{hashed}");
    let taken = target.server.resident_bytes().saturating_sub(before);
    // One hash runs at a time for each core but one, each in 19 MiB that are used again.
    let at_once = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64 - 1).max(1);
    assert!(taken < (64 + 20 * at_once) * 1024 * 1024, "{taken} bytes");
}

#[tokio::test]
async fn guesses_at_one_account_end_soon() {
    let target = Target::start(&[]).await;
    add_user(&target, "victim").await;
    let mut statuses = Vec::new();
    for _ in 0..60 {
        statuses.push(login(&target, "victim", "guess of a password").await.status());
    }
    let guessed = statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    // Ten, and one more for each half minute that the test takes.
    assert!((10..=12).contains(&guessed), "{guessed}");
    let refused = login(&target, "victim", "correct horse").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn tokens_of_one_login_leave_those_of_others() {
    let target = Target::start(&[("TIDINGS_HANDSHAKE__JWT", "true")]).await;
    let mut bystander = Bystander::start(&target.server, "alice").await;
    add_user(&target, "mallory").await;
    let login: Value = login(&target, "mallory", "correct horse").await.json().await.unwrap();
    let jwt = login["idToken"].as_str().unwrap();
    let asked = join_all((0..400).map(|_| post(&target, "/v1/token", jwt, &Value::Null))).await;
    let issued = asked.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert!(issued < 200, "{issued}");
    let key = target.server.api_key();
    for _ in 0..20 {
        let operator = post(&target, "/v1/token", &key, &json!({"userId": "bob"})).await;
        assert_eq!(operator.status(), StatusCode::OK);
    }
    bystander.is_served(20).await;
}

#[tokio::test]
async fn guests_of_one_address_are_few() {
    let target = Target::start(&[("TIDINGS_LOGIN__GUESTS", "true")]).await;
    let mut bystander = Bystander::start(&target.server, "alice").await;
    let asked = join_all((0..300).map(|_| post(&target, "/v1/guest", "none", &Value::Null))).await;
    let let_in = asked.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert!((1..=80).contains(&let_in), "{let_in}");
    let refused = asked.iter().filter(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS).count();
    assert_eq!(let_in + refused, 300);
    bystander.is_served(20).await;
}
