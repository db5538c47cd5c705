//! Tests of the commands against a gateway with fixed answers.

use std::path::Path;
use std::process::Stdio;
use verification_conformance::UnusedPort;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

struct Finished {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the program with an empty environment except for the server's address and key.
async fn tidings(arguments: &[&str], url: &str, stdin: &str) -> Finished {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(arguments)
        .env_clear()
        .env("TIDINGS_URL", url)
        .env("TIDINGS_API_KEY", "key")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Fails if the program has ended without reading its input.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes()).await;
    let output = child.wait_with_output().await.unwrap();
    Finished {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn problem(status: StatusCode, detail: &str) -> (StatusCode, String) {
    (status, json!({ "status": status.as_u16(), "title": "No", "detail": detail }).to_string())
}

/// Refuses notifications for the user "bad" and answers "duplicate" for the user "again".
async fn notifications(headers: HeaderMap, body: String) -> (StatusCode, String) {
    if headers["authorization"] != "Bearer key" {
        return problem(StatusCode::UNAUTHORIZED, "wrong key");
    }
    let result = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        match entry["userId"].as_str().unwrap() {
            "bad" => json!({ "error": { "status": 400, "detail": "no such user" } }),
            "again" => json!({ "id": entry["id"], "sequence": "7", "duplicate": true }),
            _ => json!({ "id": entry["id"], "sequence": "7", "duplicate": false }),
        }
    };
    if headers["content-type"] == "application/json" {
        let answer = result(&body);
        return match answer.get("error") {
            Some(error) => (StatusCode::BAD_REQUEST, error.to_string()),
            None => (StatusCode::ACCEPTED, answer.to_string()),
        };
    }
    let results: Vec<_> = body.lines().map(result).collect();
    (StatusCode::OK, json!({ "results": results }).to_string())
}

async fn token(headers: HeaderMap, body: String) -> (StatusCode, String) {
    match headers["authorization"].to_str().unwrap() {
        "Bearer key" if body.contains("jo") => (StatusCode::OK, json!({ "token": "t-key" }).to_string()),
        "Bearer a.b.c" => (StatusCode::OK, json!({ "token": "t-jwt", "expiresAt": 5 }).to_string()),
        _ => problem(StatusCode::FORBIDDEN, "not yours"),
    }
}

async fn gateway() -> String {
    let letters = json!({ "items": [
        { "id": "1", "userId": "jo", "reason": "unreadable", "since": 951_782_400_000_u64 }
    ] });
    let router = Router::new()
        .route("/v1/notifications", post(notifications))
        .route("/v1/token", post(token))
        .route(
            "/v1/login",
            post(|body: String| async move {
                if body.contains("right") {
                    (StatusCode::OK, json!({ "idToken": "a.b.c" }).to_string())
                } else {
                    problem(StatusCode::UNAUTHORIZED, "wrong password")
                }
            }),
        )
        .route("/v1/users", post(|body: String| async move { (StatusCode::CREATED, body) }))
        .route(
            "/v1/dead-letters",
            get(move || async move { letters.to_string() })
                .delete(|| async { json!({ "purged": 3 }).to_string() }),
        )
        .route(
            "/v1/dead-letters/{id}/redrive",
            post(|path: axum::extract::Path<String>| async move {
                if path.0 == "1" {
                    (StatusCode::OK, json!({ "redriven": 1 }).to_string())
                } else {
                    problem(StatusCode::NOT_FOUND, "there is none")
                }
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn one_notification_is_sent() {
    let url = gateway().await;
    let ran = tidings(&["send", "jo", "hello", "--text", "--id", "i"], &url, "").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "accepted  i  sequence 7\n"), "{}", ran.stderr);
    let ran = tidings(&["--json", "send", "again", "{}", "--id", "i"], &url, "").await;
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&answer["id"], &answer["duplicate"]), (&json!("i"), &json!(true)));
    let ran = tidings(&["send", "jo", "hello"], &url, "").await;
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.starts_with("error: the payload is not JSON: expected"), "{}", ran.stderr);
    assert!(ran.stderr.contains("; to send plain text, pass --text"), "{}", ran.stderr);
    let ran = tidings(&["send", "bad", "{}"], &url, "").await;
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "error: refused: no such user\n"));
}

#[tokio::test]
async fn refused_lines_of_a_file_are_named() {
    let url = gateway().await;
    let file = "{\"userId\":\"jo\",\"message\":1}\n{\"userId\":\"bad\",\"payload\":1}\n{\"userId\":\"jo\"}\n\
                {\"userId\":\"again\",\"payload\":null}\n";
    let ran = tidings(&["send", "--file", "-"], &url, file).await;
    let expected = "refused  line 3  the field \"payload\" is missing\nrefused  line 2  no such user\n\
                    accepted 1  duplicate 1  refused 2\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (1, expected), "{}", ran.stderr);
    let ran = tidings(&["send", "--file", "-", "--json"], &url, file).await;
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["line"].as_u64(), lines[1]["line"].as_u64()), (Some(3), Some(2)));
    assert_eq!(lines[2], json!({ "accepted": 1, "duplicates": 1, "refused": 2, "unknown": 0 }));
    let ran = tidings(&["send", "-f", "-"], &url, "{\"userId\":\"jo\",\"message\":1}").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "accepted 1  duplicate 0  refused 0\n"));
}

#[tokio::test]
async fn unanswered_line_of_a_file_is_named() {
    let unreachable = UnusedPort::new();
    let ran = tidings(&["send", "-f", "-"], &unreachable.url(), "\n{\"userId\":\"jo\",\"message\":1}").await;
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped at line 2") && ran.stderr.contains("no connection to"));
}

#[tokio::test]
async fn exit_codes_distinguish_errors() {
    let (url, unreachable) = (gateway().await, UnusedPort::new());
    for (arguments, url, code) in [
        (&["token", "jo"][..], &url, 0),
        (&["token", "else"], &url, 77),
        (&["--api-key", "wrong", "send", "jo", "{}"], &url, 77),
        (&["token", "jo"], &unreachable.url(), 69),
        (&["listen", "else"], &url, 77),
        (&["token", " jo"], &url, 2),
        (&["nonsense"], &url, 2),
        (&["token", "jo", "--url", "ftp://x"], &url, 2),
        (&["--help"], &url, 0),
    ] {
        let ran = tidings(arguments, url, "").await;
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn token_is_obtained_by_key_file_or_jwt() {
    let url = gateway().await;
    assert_eq!(tidings(&["token", "jo"], &url, "").await.stdout, "t-key\n");
    assert_eq!(tidings(&["token", "--jwt", "a.b.c"], &url, "").await.stdout, "t-jwt\n");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("api-key"), "key\n").unwrap();
    let key_from = |path: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command.args(["--url", &url, "token", "jo", "--data-dir"]).arg(path).env_clear();
        command
    };
    let output = key_from(directory.path()).output().await.unwrap();
    assert_eq!(output.stdout, b"t-key\n");
    assert_ne!(key_from(Path::new("/nowhere")).output().await.unwrap().status.code(), Some(0));
}

#[tokio::test]
async fn stack_outputs_address_a_deployment_on_aws() {
    let (url, directory) = (gateway().await, tempfile::tempdir().unwrap());
    let file = directory.path().join("outputs.json");
    let stack = file.to_str().unwrap();
    // The default server gets no request.
    let elsewhere = UnusedPort::new();
    let ran = tidings(&["--stack", stack, "token", "--jwt", "a.b.c"], &elsewhere.url(), "").await;
    assert!(ran.code == 1 && ran.stderr.contains("outputs.json can't be read"), "{}", ran.stderr);
    let outputs = json!({
        "webSocketUrl": url.replacen("http", "ws", 1),
        "tokenUrl": format!("{url}/v1/token"),
        "queueUrl": "https://sqs.example/notifications.fifo",
    });
    std::fs::write(&file, outputs.to_string()).unwrap();
    let ran = tidings(&["--stack", stack, "token", "--jwt", "a.b.c"], &elsewhere.url(), "").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "t-jwt\n"), "{}", ran.stderr);
    for arguments in [["send", "jo", "{}"], ["token", "jo", "--json"], ["listen", "jo", "--json"]] {
        let ran = tidings(&[&["--stack", stack], &arguments[..]].concat(), &url, "").await;
        assert!(ran.code == 2 && ran.stderr.contains("--jwt"), "{arguments:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn users_are_added_and_log_in() {
    let url = gateway().await;
    let ran = tidings(&["user", "add", "jo", "--password-stdin"], &url, "right\n").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "added  jo\n"), "{}", ran.stderr);
    let ran = tidings(&["user", "login", "jo", "--password-stdin"], &url, "right\n").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "a.b.c\n"));
    let ran = tidings(&["user", "login", "jo", "--password-stdin"], &url, "wrong\n").await;
    assert_eq!((ran.code, ran.stderr.as_str()), (77, "error: not authorised: wrong password\n"));
    let ran = tidings(&["user", "login", "jo"], &url, "right\n").await;
    assert!(ran.code == 1 && ran.stderr.contains("--password-stdin"), "{}", ran.stderr);
}

#[tokio::test]
async fn dead_letters_are_listed_redriven_and_purged() {
    let url = gateway().await;
    let ran = tidings(&["dlq", "list"], &url, "").await;
    let expected = "ID  SINCE (UTC)          USER  REASON\n1   2000-02-29 00:00:00  jo    unreadable\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (0, expected), "{}", ran.stderr);
    let ran = tidings(&["dlq", "redrive", "1", "2"], &url, "").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "redriven  1\nrefused  2  there is none\n"));
    let ran = tidings(&["dlq", "purge", "--all"], &url, "").await;
    assert!(ran.code == 1 && ran.stderr.contains("--yes"), "{}", ran.stderr);
    let ran = tidings(&["dlq", "purge", "--all", "--yes"], &url, "").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "purged  3\n"));
    for usage in
        [&[][..], &["--limit", "1"], &["1", "--all"], &["1", "--user", "jo"], &["--all", "--reason", "x"]]
    {
        let ran = tidings(&[&["dlq", "redrive"], usage].concat(), &url, "").await;
        assert_eq!(ran.code, 2, "{usage:?}: {}", ran.stdout);
    }
}

#[tokio::test]
async fn dead_letters_are_chosen_by_user_and_reason() {
    let url = gateway().await;
    for chosen in [&["--user", "jo"][..], &["--reason", "read"], &["--user", "jo", "--reason", "unread"]] {
        let ran = tidings(&[&["dlq", "redrive"], chosen].concat(), &url, "").await;
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "redriven  1\n"), "{chosen:?}: {}", ran.stderr);
        let ran = tidings(&[&["dlq", "redrive", "--dry-run"], chosen].concat(), &url, "").await;
        assert!(ran.stdout.ends_with("jo    unreadable\n"), "{}", ran.stdout);
    }
    for other in [&["--user", "ann"][..], &["--reason", "large"], &["--user", "jo", "--limit", "0"]] {
        let ran = tidings(&[&["--json", "dlq", "redrive"], other].concat(), &url, "").await;
        let result: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(result, json!({ "all": false, "result": "redriven", "count": 0 }), "{other:?}");
    }
}

#[tokio::test]
async fn configuration_is_checked_shown_and_explained() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tidings.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let ran = tidings(&["config", "check", "--config", path], "http://h", "").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "the configuration is valid\n"), "{}", ran.stderr);
    let shown = tidings(&["--json", "config", "show", "--config", path, "--like-aws"], "http://h", "").await;
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["server"]["listen"], "127.0.0.1:1");
    assert_eq!(shown["connections"]["like_aws"], true);
    // An option overrides the file.
    let arguments = ["--json", "config", "show", "--config", path, "--listen", "127.0.0.1:2"];
    assert!(tidings(&arguments, "http://h", "").await.stdout.contains("127.0.0.1:2"));
    let explained = tidings(&["config", "default"], "http://h", "").await.stdout;
    std::fs::write(&file, &explained).unwrap();
    assert_eq!(tidings(&["config", "check", "--config", path], "http://h", "").await.code, 0);

    std::fs::write(&file, "[server]\nlissten = \"x\"\n").unwrap();
    for command in ["check", "show"] {
        let ran = tidings(&["config", command, "--config", path], "http://h", "").await;
        assert_eq!(ran.code, 64);
        assert!(ran.stderr.contains("lissten") && ran.stderr.contains("server.listen"), "{}", ran.stderr);
    }
    let ran = tidings(&["serve", "--config", path], "http://h", "").await;
    assert_eq!(ran.code, 64, "{}", ran.stderr);
}

#[tokio::test]
async fn damaged_store_is_refused_and_repaired() {
    use contract_notifications_v1::{NotificationId, Payload, Timestamp, UserId, WhenOffline};
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let run =
        async |arguments: &[&str]| tidings(&[arguments, &["--data-dir", data_dir]].concat(), "", "").await;
    let path = dir.path().join("store");
    let store = tidings_store::Store::open(
        &path,
        tidings_store::StorageSettings::default(),
        shared_ports::SystemClock,
    )
    .unwrap();
    for n in 0..20 {
        let notification = contract_notifications_v1::Notification {
            id: NotificationId::new(format!("id-{n}")).unwrap(),
            user_id: UserId::new("jo").unwrap(),
            payload: Payload::from_value(&n).unwrap(),
            sent_at: Timestamp::from_millis(n),
            expires_at: None,
            when_offline: WhenOffline::Hold,
            kind: None,
            source: None,
        };
        let submission = tidings_store::Submission { notification, deduplicate: false };
        store.accept(vec![submission]).await.unwrap();
    }
    store.close();
    drop(store);
    let checked = run(&["store", "check"]).await;
    assert_eq!((checked.code, checked.stdout.starts_with("intact  ")), (0, true), "{}", checked.stdout);

    let journal = path.join("engine/0.jnl");
    let mut bytes = std::fs::read(&journal).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end / 2] ^= 4;
    std::fs::write(&journal, &bytes).unwrap();
    let checked = run(&["store", "check", "--json"]).await;
    let value: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((checked.code, value["damage"][0]["kind"].as_str()), (65, Some("journal")), "{value}");
    assert_eq!(value["damage"][1]["kind"], "commits");
    assert_eq!(value["damage"][1]["notifications"], 1);
    let served = run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(
        (served.code, served.stderr.contains("tidings store repair")),
        (65, true),
        "{}",
        served.stderr
    );
    let refused = run(&["store", "repair"]).await;
    assert_eq!((refused.code, refused.stderr.contains("--accept-loss")), (65, true), "{}", refused.stderr);
    assert_eq!(std::fs::read(&journal).unwrap(), bytes);

    let repaired = run(&["store", "repair", "--accept-loss"]).await;
    assert_eq!(repaired.code, 0, "{}", repaired.stderr);
    assert!(repaired.stdout.contains("19 notifications"), "{}", repaired.stdout);
    assert!(repaired.stdout.contains("lost: up to 1 accepted notifications"), "{}", repaired.stdout);
    assert_eq!(run(&["store", "check"]).await.code, 0);
    let kept = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(kept.into_iter().any(|name| name.to_str().unwrap().starts_with("engine.damaged-")));
}
