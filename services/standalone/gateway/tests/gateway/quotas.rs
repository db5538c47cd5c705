//! Limits of logins, connect tokens and guests, on a whole server behind a proxy that names the clients' addresses.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::test_server::within;
use crate::whole_server::WholeServer;

struct Server(WholeServer);

/// The status of an answer, `Retry-After` in seconds, and the body.
type Answered = (u16, Option<u64>, Value);

impl Server {
    fn start(directory: &Path, more: &str) -> Self {
        Self(WholeServer::start(directory, &format!("trusted_proxies = [\"127.0.0.0/8\"]\n{more}")))
    }

    async fn stop(self) {
        self.0.stop().await;
    }

    /// Sends a request of a client with this address.
    async fn call(&self, address: &str, method: Method, path: &str, bearer: &str, body: Value) -> Answered {
        let request = self.0.request(method, path, bearer);
        let request = request.header("x-forwarded-for", address).body(body.to_string());
        let answer = within(request.send()).await.unwrap();
        let wait = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        let status = answer.status().as_u16();
        (status, wait, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn add_user(&self, name: &str) {
        self.0.add_user(name).await;
    }

    async fn login(&self, address: &str, name: &str, password: &str) -> Answered {
        let body = json!({"username": name, "password": password});
        self.call(address, Method::POST, "/v1/login", "none", body).await
    }
}

#[tokio::test]
async fn guesses_are_answered_with_429_and_the_owner_logs_in() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "[login]\nfailures_per_account = \"3/1h\"\n");
    server.add_user("alice").await;
    assert_eq!(server.login("10.0.0.1", "alice", "correct horse").await.0, 200);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(server.login("10.0.0.66", "alice", "wrong horse").await.0);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let (status, wait, problem) = server.login("10.0.0.66", "alice", "correct horse").await;
    assert!(status == 429 && wait.is_some_and(|wait| (1..=1_200).contains(&wait)), "{status} {wait:?}");
    assert_eq!(problem["type"], "urn:tidings:problem:too-many-requests");
    assert!(problem["detail"].as_str().unwrap().contains("login.failures_per_account"), "{problem}");
    // A name that does not exist is answered alike, so that it tells nothing.
    for expected in [401, 401, 401, 429] {
        assert_eq!(server.login("10.0.0.66", "nobody", "wrong horse").await.0, expected);
    }
    assert_eq!(server.login("10.0.0.1", "alice", "correct horse").await.0, 200);
    assert_eq!(server.login("10.0.0.2", "alice", "correct horse").await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn operator_adds_users_while_strangers_flood_the_login() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    let flood = futures_util::future::join_all((0..120).map(|n| {
        let (server, address) = (&server, format!("10.1.{}.{}", n / 100, n % 100));
        async move { server.login(&address, &format!("name{}", n % 30), "wrong horse").await.0 }
    }));
    let operator = async {
        for name in ["a", "b", "c"] {
            server.add_user(name).await;
        }
    };
    let (statuses, ()) = tokio::join!(flood, operator);
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    server.stop().await;
}

#[tokio::test]
async fn common_and_reserved_names_and_passwords_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), "");
    for (name, password, word) in [
        ("alice", "passw0rd", "too common"),
        ("alice", "alice1234", "too common"),
        ("alice", "short", "8 to 1024"),
        ("guest-alice", "correct horse", "for guests"),
    ] {
        let body = json!({"username": name, "password": password});
        let (status, _, problem) =
            server.call("10.0.0.1", Method::POST, "/v1/users", &server.0.key, body).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(status == 400 && detail.contains(word) && !detail.contains(password), "{detail}");
    }
    server.stop().await;
}

#[tokio::test]
async fn tokens_of_one_user_leave_those_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let more = "[handshake]\njwt = true\n[tokens]\nrate_per_user = \"5/1h\"\nrate_per_key = \"3/1h\"\n";
    let server = Server::start(directory.path(), more);
    let token = async |bearer: &str, body: Value| {
        server.call("10.0.0.1", Method::POST, "/v1/token", bearer, body).await
    };
    let mut jwts = Vec::new();
    for name in ["mallory", "alice"] {
        server.add_user(name).await;
        let (_, _, login) = server.login("10.0.0.1", name, "correct horse").await;
        jwts.push(login["idToken"].as_str().unwrap().to_owned());
    }
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(token(&jwts[0], Value::Null).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
    let (_, wait, problem) = token(&jwts[0], Value::Null).await;
    assert!(
        wait.is_some_and(|wait| wait <= 720) && problem["detail"].as_str().unwrap().contains("rate_per_user")
    );
    assert_eq!(token(&jwts[1], Value::Null).await.0, 200);

    let body = json!({"name": "app", "scopes": ["token"]});
    let (_, _, added) = server.call("10.0.0.1", Method::POST, "/v1/keys", &server.0.key, body).await;
    let app = added["apiKey"].as_str().unwrap();
    for expected in [200, 200, 200, 429] {
        assert_eq!(token(app, json!({"userId": "alice"})).await.0, expected);
    }
    for _ in 0..10 {
        assert_eq!(token(&server.0.key, json!({"userId": "alice"})).await.0, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn full_table_of_tokens_has_places_for_operators() {
    let directory = tempfile::tempdir().unwrap();
    let more =
        "[handshake]\njwt = true\n[tokens]\nmax_unused = 100\nrate_per_user = \"off\"\nlifetime = \"1h\"\n";
    let server = Server::start(directory.path(), more);
    server.add_user("mallory").await;
    let (_, _, login) = server.login("10.0.0.1", "mallory", "correct horse").await;
    let jwt = login["idToken"].as_str().unwrap();
    let body = json!({"name": "app", "scopes": ["token"]});
    let (_, _, added) = server.call("10.0.0.1", Method::POST, "/v1/keys", &server.0.key, body).await;
    let app = added["apiKey"].as_str().unwrap();
    let mut issued = Vec::new();
    for bearer in [jwt, app, &server.0.key] {
        let mut count = 0;
        while count < 50 || bearer == jwt {
            let (status, wait, _) =
                server.call("10.0.0.1", Method::POST, "/v1/token", bearer, json!({"userId": "alice"})).await;
            if status != 200 {
                assert_eq!((bearer == server.0.key, wait.is_some()), (false, true), "{status}");
                break;
            }
            count += 1;
            if bearer == server.0.key && count == 10 {
                break;
            }
        }
        issued.push(count);
    }
    assert_eq!(issued, [70, 20, 10]);
    server.stop().await;
}

#[tokio::test]
async fn guests_have_long_ids_and_a_rate() {
    let directory = tempfile::tempdir().unwrap();
    let more = "[login]\nguests = true\nguest_rate = \"6/1h\"\nguests_per_address = \"4/1h\"\n";
    let server = Server::start(directory.path(), more);
    let mut ids = std::collections::BTreeSet::new();
    for (address, expected) in
        [("10.0.0.1", [200, 200, 200, 200, 429]), ("10.0.0.2", [200, 200, 429, 429, 429])]
    {
        for status in expected {
            let (found, wait, guest) =
                server.call(address, Method::POST, "/v1/guest", "none", Value::Null).await;
            assert_eq!((found, wait.is_some()), (status, status == StatusCode::TOO_MANY_REQUESTS.as_u16()));
            if status == 200 {
                let id = guest["userId"].as_str().unwrap().to_owned();
                let random = id.strip_prefix("guest-").unwrap();
                assert!(random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
                assert!(ids.insert(id));
            }
        }
    }
    server.stop().await;
}
