//! Refused handshakes: the operator finds the reason in the log, by the request id that the client got.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

#[tokio::test]
async fn reason_is_logged_under_the_clients_request_id() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_verification-acceptance"))
        .args(["--json", "serve", "--listen", "127.0.0.1:0"])
        .env("TIDINGS_DATA_DIR", directory.path().join("data"))
        .env("HUB_SECRET", "sua_chave_secreta")
        .env("TIDINGS_HANDSHAKE__HMAC", "true")
        .env("TIDINGS_HANDSHAKE__HMAC_SECRET", "env:HUB_SECRET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap().to_string();
    let signature = "5e".repeat(32);
    let request = reqwest::Client::new()
        .get(format!("{}/ws", ready["url"].as_str().unwrap()))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("x-session", "session 1")
        .header("x-date-time", now)
        .header("x-signature", &signature);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let request_id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["requestId"], *request_id);
    // Whether the secret or the headers are wrong is for the operator alone.
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("request id") && !detail.contains("match"), "{detail}");

    server.kill().unwrap();
    server.wait().unwrap();
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let line = log.lines().find(|line| line.contains(&request_id)).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("the signature does not match the headers"), "{line}");
    assert!(!log.contains(&signature), "{log}");
}
