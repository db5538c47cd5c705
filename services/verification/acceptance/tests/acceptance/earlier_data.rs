//! The server on data directories that earlier versions wrote.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tidings_client::ListenerConfig;

use crate::support::{Server, next, user};

/// Copies a folder, readable for the owner alone, as the server makes it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

#[tokio::test]
async fn data_of_november_2026_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/earlier-data/2026-11")), directory.path());
    let settings = [("TIDINGS_HANDSHAKE__JWT", "true"), ("TIDINGS_HISTORY__ENABLED", "true")];
    let server = Server::start_with(directory.path(), &settings).await;
    let held = [("alice", 1..=5), ("Jörg Müller", 1..=2), ("bob", 1..=1), ("dave", 1..=3)];
    let mut last = 0;
    for (name, numbers) in held {
        let mut listener = server.listen(&user(name), ListenerConfig::default());
        for n in numbers {
            let delivery = next(&mut listener).await;
            assert_eq!(serde_json::from_str::<Value>(delivery.payload.get()).unwrap(), json!({ "n": n }));
            assert_eq!(delivery.sequence.number(), last + 1, "{name}");
            last += 1;
        }
    }
    // What is new comes behind, and an account is what it was.
    let key = fs::read_to_string(directory.path().join("api-key")).unwrap();
    let send = server.http().post(format!("{}/v1/notifications", server.url)).bearer_auth(key.trim());
    let body = json!({ "userId": "alice", "payload": { "n": 6 } }).to_string();
    let accepted: Value = send.body(body).send().await.unwrap().json().await.unwrap();
    assert!(accepted["sequence"].as_str().unwrap().parse::<u128>().unwrap() > last, "{accepted}");
    let login = json!({ "username": "alice", "password": "correct horse battery" }).to_string();
    let login = server.http().post(format!("{}/v1/login", server.url)).body(login).send().await.unwrap();
    assert_eq!(login.status(), 200);
}
