//! A flood of refusals that is to fill the log, or to hide something in it.

use std::process::Stdio;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Bystander, Server};

const REQUESTS: usize = 1_500;

#[tokio::test]
async fn flood_of_wrong_keys_hides_no_change() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let settings = [
        ("TIDINGS_LOG__LEVEL", "info"),
        ("TIDINGS_LOG__FORMAT", "json"),
        ("TIDINGS_LIMITS__EXEMPT_LOOPBACK", "true"),
    ];
    let file = std::fs::File::create(&log).unwrap();
    let server = Server::start_logging(&directory.path().join("data"), &settings, Stdio::from(file)).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let http = server.http();
    let guess = async |n: usize| {
        let request =
            http.post(format!("{}/v1/notifications", server.url)).bearer_auth(format!("guessed-key-{n}"));
        request.body(r#"{"userId":"alice","payload":1}"#).send().await.unwrap().status()
    };
    for n in 0..REQUESTS / 2 {
        assert_eq!(guess(n).await, StatusCode::FORBIDDEN);
    }
    let added = http.post(format!("{}/v1/keys", server.url)).bearer_auth(server.api_key());
    let added = added.body(json!({"name": "hidden", "scopes": ["send"]}).to_string()).send().await.unwrap();
    assert!(added.status().is_success());
    let blocked = http.put(format!("{}/v1/users/mallory/block", server.url)).bearer_auth(server.api_key());
    assert!(blocked.send().await.unwrap().status().is_success());
    for n in REQUESTS / 2..REQUESTS {
        assert_eq!(guess(n).await, StatusCode::FORBIDDEN);
    }
    bystander.is_served(5).await;
    assert!(server.metric("tidings_security_events_total").await >= 1_500.0);
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    // Five times twenty at once, and twenty a second while the test runs.
    let refused = of("credential-refused");
    assert!((20..REQUESTS / 2).contains(&refused), "{refused} lines");
    assert!(of("access-changed") >= 2, "{text}");
    // It says whose access changed.
    assert!(lines.iter().any(|line| line["event"] == "access-changed" && line["user"].is_string()), "{text}");
    assert!(!text.contains("guessed-key") && !text.contains(&server.api_key()));
}
