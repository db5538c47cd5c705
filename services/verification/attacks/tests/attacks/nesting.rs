//! Payloads nested so deep that parsers of clients break.

use crate::support::{Bystander, Client, Server, keep_for_fuzzing};

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn deep_payload_is_refused_at_every_door() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TIDINGS_CLIENT_MESSAGES__POLICY", "anyone")];
    let server = Server::start(directory.path(), &settings).await;
    let mut bystander = Bystander::start(&server, "alice").await;
    let mut mallory = Client::connect(&server, "mallory").await;
    let (http, key) = (server.http(), server.api_key());
    let post = async |path: &str, body: String| {
        keep_for_fuzzing("notification", body.as_bytes());
        let request = http.post(format!("{}{path}", server.url)).bearer_auth(&key).body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for levels in [129, 20_000] {
        let body = || format!(r#"{{"userId":"bob","payload":{}}}"#, nested(levels));
        for path in ["/v1/notifications", "/message"] {
            let (status, text) = post(path, body()).await;
            assert_eq!(status, 400, "{text}");
            assert!(text.contains("128 levels"), "{text}");
        }
        let (status, text) = post("/v1/notifications", format!("[{}]", body())).await;
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("128 levels") && text.contains(r#""refused":1"#), "{text}");
        let frame = format!(r#"{{"action":"sendMessage","sessions":["bob"],"payload":{}}}"#, nested(levels));
        let answer = mallory.ask(&frame).await;
        assert_eq!(answer["code"], "bad-request", "{answer}");
        let whoami = mallory.ask(r#"{"action":"whoami"}"#).await;
        let connection = whoami["connectionId"].as_str().unwrap();
        let (status, text) = post(&format!("/@connections/{connection}"), nested(levels)).await;
        assert_eq!(status, 400, "{text}");
    }
    let (status, text) =
        post("/v1/notifications", format!(r#"{{"userId":"bob","payload":{}}}"#, nested(128))).await;
    assert_eq!(status, 202, "{text}");
    bystander.is_served(20).await;
}
