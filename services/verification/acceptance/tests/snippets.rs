//! The programs of the documents, word for word, against a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod support;

use std::path::Path;
use std::process::Stdio;

use contract_frames_v1::Delivery;
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use serde_json::{Value, json};
use support::{PATIENCE, Server, next, user};
use tempfile::TempDir;
use tidings_client::{Listener, ListenerConfig};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use verification_snippets::{document, parse, snippet};
use verification_source_clients::{aws_cli, python};

const CLIENTS: &str = "docs/how-to/clients.md";

/// A server, and the folder that it was started in, where the programs are started too.
async fn start(environment: &[(&str, &str)]) -> (Server, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_with(&directory.path().join("tidings-data"), environment).await;
    (server, directory)
}

/// A program that is told where the server is.
fn command(program: impl AsRef<Path>, server: &Server, directory: &TempDir) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir(directory.path()).env("TIDINGS_URL", &server.url).kill_on_drop(true);
    command
}

/// What a program writes; it has to succeed.
async fn output(command: &mut Command) -> String {
    let run = command.stdin(Stdio::null()).output();
    let output = tokio::time::timeout(PATIENCE, run).await.expect("it ends in time").unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    out
}

/// What a script writes, whose every command has to succeed.
async fn run(script: &str, server: &Server, directory: &TempDir, environment: &[(&str, &str)]) -> String {
    let mut bash = command("/bin/bash", server, directory);
    bash.args(["-euo", "pipefail", "-c", script]).envs(environment.iter().copied());
    let path = std::env::var("PATH").unwrap();
    output(bash.env("PATH", format!("{}:{path}", aws_cli().display()))).await
}

fn listen(server: &Server, name: &str) -> Listener {
    server.listen(&user(name), ListenerConfig::default())
}

fn payload(delivery: &Delivery) -> Value {
    serde_json::from_str(delivery.payload.get()).unwrap()
}

/// Connects with a token, asks who that is, and gives the frames that come.
async fn connect(server: &Server, token: &str) -> impl Stream<Item = Value> + Unpin {
    let url = format!("{}/ws?token={token}", server.url.replacen("http", "ws", 1));
    let (mut socket, _) = connect_async(url).await.expect("the token is good");
    socket.send(Message::text(json!({ "action": "whoami" }).to_string())).await.unwrap();
    Box::pin(socket.filter_map(async |message| match message {
        Ok(Message::Text(text)) => serde_json::from_str(&text).ok(),
        _ => None,
    }))
}

/// The next frame; `None` when the connection has ended.
async fn frame(frames: &mut (impl Stream<Item = Value> + Unpin)) -> Option<Value> {
    tokio::time::timeout(PATIENCE, frames.next()).await.expect("something comes in time")
}

#[tokio::test]
async fn curl() {
    let (server, directory) = start(&[]).await;
    let script = snippet(CLIENTS, "curl").unwrap();
    let printed = run(&script.code, &server, &directory, &[]).await;
    // The token that it prints last opens a connection of the one it is for.
    let mut frames = connect(&server, printed.lines().last().unwrap()).await;
    let (mut payloads, mut users) = (Vec::new(), Vec::new());
    while payloads.len() < 2 || users.is_empty() {
        let frame = frame(&mut frames).await.unwrap();
        match frame["type"].as_str().unwrap() {
            "whoami" => users.push(frame["userId"].clone()),
            _ => payloads.push(frame["payload"].clone()),
        }
    }
    assert_eq!(users, ["alice"]);
    assert_eq!(payloads, [json!({ "order": 1042 }), json!({ "sale": "today" })]);
    for name in ["bob", "carol"] {
        assert_eq!(payload(&next(&mut listen(&server, name)).await), json!({ "sale": "today" }));
    }
}

#[tokio::test]
async fn readme() {
    let (server, directory) = start(&[]).await;
    let script = snippet("README.md", "send-and-receive").unwrap().code;
    // It names the port of a server that is started without a choice.
    let script = script.replace("http://127.0.0.1:8080", &server.url) + "echo\necho \"$TOKEN\"\n";
    let printed = run(&script, &server, &directory, &[]).await;
    let mut frames = connect(&server, printed.lines().last().unwrap()).await;
    let notification = loop {
        let frame = frame(&mut frames).await.unwrap();
        if frame["type"] == "notification" {
            break frame;
        }
    };
    assert_eq!((&notification["payload"], &notification["replayed"]), (&json!({ "n": 1 }), &json!(true)));
}

/// A program that goes on, and what it writes.
struct Running {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { lines, _process: process }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("it writes in time").unwrap().expect("it goes on")
    }
}

#[tokio::test]
async fn in_python() {
    let (server, directory) = start(&[("TIDINGS_HISTORY__ENABLED", "true")]).await;
    let program = snippet(CLIENTS, "python").unwrap().code;
    std::fs::write(directory.path().join("receive.py"), program).unwrap();
    let produce = async |n: u32| {
        let body = json!({ "userId": "alice", "id": format!("id-{n}"), "payload": { "n": n } });
        ask(&server, reqwest::Method::POST, "/v1/notifications", Some(body)).await;
    };
    produce(0).await;
    let mut receiving = Running::start(command(python(), &server, &directory).arg("receive.py"));
    for n in 0..6 {
        assert_eq!(receiving.line().await, format!(r#"id-{n} {{"n": {n}}}"#));
        // Each time over another connection, the one before being closed under it.
        let sessions = ask(&server, reqwest::Method::GET, "/v1/history/alice/sessions", None).await;
        let connection = sessions["items"][0]["connectionId"].as_str().unwrap().to_owned();
        ask(&server, reqwest::Method::DELETE, &format!("/@connections/{connection}"), None).await;
        produce(n + 1).await;
    }
    assert_eq!(receiving.line().await, r#"id-6 {"n": 6}"#);
}

/// Asks the server as an operator does.
async fn ask(server: &Server, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
    let key = std::fs::read_to_string(server.data_dir.join("api-key")).unwrap();
    let request = server.http().request(method, format!("{}{path}", server.url)).bearer_auth(key.trim());
    let request = body.map_or(request.try_clone().unwrap(), |body| request.body(body.to_string()));
    let answer = request.send().await.unwrap();
    // Who closes a connection that has just ended is told that it is gone.
    assert!(answer.status().is_success() || answer.status() == 410, "{path}: {}", answer.status());
    serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null)
}

#[tokio::test]
async fn the_aws_cli() {
    let (server, directory) = start(&[]).await;
    let token = ask(&server, reqwest::Method::POST, "/v1/token", Some(json!({ "userId": "alice" }))).await;
    let mut frames = connect(&server, token["token"].as_str().unwrap()).await;
    let whoami = frame(&mut frames).await.unwrap();
    let connection = whoami["connectionId"].as_str().unwrap();
    let script = snippet(CLIENTS, "aws-cli").unwrap().code;
    let described = run(&script, &server, &directory, &[("CONNECTION", connection)]).await;
    let described: Value = serde_json::from_str(&described).unwrap();
    assert_eq!(described["Identity"]["SourceIp"], "127.0.0.1");
    assert_eq!(frame(&mut frames).await.unwrap(), json!({ "maintenance": "in ten minutes" }));
    assert_eq!(frame(&mut frames).await, None, "the connection was closed");
}

#[tokio::test]
async fn in_rust_over_http() {
    let (server, directory) = start(&[]).await;
    assert!(snippet(CLIENTS, "rust-http").is_ok(), "the example is built of it");
    let own = std::env::current_exe().unwrap();
    let example = own.ancestors().nth(2).unwrap().join("examples/rust_http");
    assert!(
        example.exists(),
        "{} is not built: cargo build -p verification-acceptance --examples",
        example.display()
    );
    for _ in 0..2 {
        let printed = output(&mut command(&example, &server, &directory)).await;
        assert!(printed.contains("order-1042-shipped"), "{printed}");
    }
    let mut listener = listen(&server, "alice");
    assert_eq!(payload(&next(&mut listener).await), json!({ "order": 1042 }));
    // The second was no new one.
    let last = json!({ "userId": "alice", "payload": "last" });
    ask(&server, reqwest::Method::POST, "/v1/notifications", Some(last)).await;
    assert_eq!(payload(&next(&mut listener).await), json!("last"));
}

/// The languages of blocks that are no programs.
const NO_PROGRAM: [&str; 2] = ["toml", "json"];

/// Documents whose programs are all run, and what the tests that do so call them.
const DOCUMENTS: [(&str, &str); 4] = [
    ("README.md", r#""README.md""#),
    (CLIENTS, "CLIENTS"),
    ("docs/how-to/deploy.md", r#""docs/how-to/deploy.md""#),
    ("services/clients/typescript/README.md", "README"),
];

/// Where those tests are.
const TESTS: [&str; 4] = [
    "services/verification/acceptance/tests",
    "services/verification/acceptance/aws/tests",
    "services/web/browser/test",
    "services/clients/typescript/test",
];

#[test]
fn every_program_is_run() {
    let files = TESTS.iter().flat_map(|folder| std::fs::read_dir(document(folder)).unwrap());
    let tests: Vec<_> = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok()).collect();
    for (path, called) in DOCUMENTS {
        let text = std::fs::read_to_string(document(path)).unwrap();
        let programs = parse(&text);
        assert!(!programs.is_empty(), "{path} has none");
        for program in &programs {
            let call = format!("snippet({called}, {:?})", program.name);
            assert!(tests.iter().any(|test| test.contains(&call)), "no test has {call}");
        }
    }
}

#[test]
fn what_is_to_be_copied_is_run() {
    let text = std::fs::read_to_string(document(CLIENTS)).unwrap();
    let blocks =
        text.lines().filter_map(|line| line.strip_prefix("```")).filter(|language| !language.is_empty());
    let programs = blocks.filter(|language| !NO_PROGRAM.contains(language)).count();
    assert_eq!(parse(&text).len(), programs);
}
