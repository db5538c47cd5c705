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
    let (status, problem) = send(99).await;
    assert_eq!(status, 507, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("disk"), "{problem}");
    let ready = http.get(format!("{}/readyz", server.url)).send().await.unwrap();
    assert_eq!(ready.status(), 503);

    // Held notifications are still delivered. New ones are accepted once there is room again.
    let mut listener = server.listen(&user("alice"), ListenerConfig::default());
    for n in 0..20 {
        assert_eq!(next(&mut listener).await.payload.get(), n.to_string());
    }
    disk.free();
    assert_eq!(send(20).await.0, 202);
    assert_eq!(next(&mut listener).await.payload.get(), "20");
}
