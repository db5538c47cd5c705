//! A disk that fills up under a running server.

use serde_json::{Value, json};
use tidings_client::ListenerConfig;
use verification_conformance::SmallDisk;

use crate::support::{Server, next, user};

#[tokio::test]
async fn full_disk_is_reported_and_loses_nothing() {
    let mount = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(mount.path(), 256);
    let settings = [("TIDINGS_STORE__RESERVE_BYTES", "33554432")];
    let server = Server::start_with(&disk.path().join("data"), &settings).await;
    let key = std::fs::read_to_string(server.data_dir.join("api-key")).unwrap();
    let http = server.http();
    let send = async |n: u32| {
        let request = http.post(format!("{}/v1/notifications", server.url)).bearer_auth(key.trim());
        let response = request.json(&json!({ "userId": "alice", "payload": n })).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    for n in 0..20 {
        assert_eq!(send(n).await.0, 202);
    }
    disk.fill();
    // The server asks for the free room ten times a second, so the first ones may still be accepted.
    let mut accepted = 20;
    let problem = loop {
        let (status, answer) = send(accepted).await;
        if status != 202 {
            assert_eq!(status, 507, "{answer}");
            break answer;
        }
        accepted += 1;
        assert!(accepted < 10_000, "the full disk is not noticed");
    };
    assert!(problem["detail"].as_str().unwrap().contains("disk"), "{problem}");
    let ready = http.get(format!("{}/readyz", server.url)).send().await.unwrap();
    assert_eq!(ready.status(), 503);

    // Held notifications are still delivered. New ones are accepted once there is room again.
    let mut listener = server.listen(&user("alice"), ListenerConfig::default());
    for n in 0..accepted {
        assert_eq!(next(&mut listener).await.payload.get(), n.to_string());
    }
    disk.free();
    // Here too, the first ones may still be refused.
    let mut refused = 0;
    while send(accepted).await.0 == 507 {
        refused += 1;
        assert!(refused < 10_000, "the free room is not noticed");
    }
    assert_eq!(next(&mut listener).await.payload.get(), accepted.to_string());
}
