//! The programs of the documents, run unchanged with a real server.

use std::path::Path;
use std::process::Stdio;

use contract_frames_v1::Delivery;
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_client::{Listener, ListenerConfig};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use verification_snippets::snippet;
use verification_source_clients::{aws_cli, python};

use crate::support::{Server, TIMEOUT, next, user};

const CLIENTS: &str = "docs/how-to/clients.md";

/// Starts a server in a new folder, in which the programs run too.
async fn start(environment: &[(&str, &str)]) -> (Server, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_with(&directory.path().join("tidings-data"), environment).await;
    (server, directory)
}

/// Makes a command for the server.
fn command(program: impl AsRef<Path>, server: &Server, directory: &TempDir) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir(directory.path()).env("TIDINGS_URL", &server.url).kill_on_drop(true);
    command
}

/// Runs a program, which must succeed, and returns its output.
async fn output(command: &mut Command) -> String {
    let run = command.stdin(Stdio::null()).output();
    let output = tokio::time::timeout(TIMEOUT, run).await.expect("the program ends in time").unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    out
}

/// Runs a script, whose every command must succeed, and returns its output.
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

/// Connects with a token, asks for the user, and returns the frames that arrive.
async fn connect(server: &Server, token: &str) -> impl Stream<Item = Value> + Unpin {
    let url = format!("{}/ws?token={token}", server.url.replacen("http", "ws", 1));
    let (mut socket, _) = connect_async(url).await.expect("the token is accepted");
    socket.send(Message::text(json!({ "action": "whoami" }).to_string())).await.unwrap();
    Box::pin(socket.filter_map(async |message| match message {
        Ok(Message::Text(text)) => serde_json::from_str(&text).ok(),
        _ => None,
    }))
}

/// The next frame, or `None` if the connection has ended.
async fn frame(frames: &mut (impl Stream<Item = Value> + Unpin)) -> Option<Value> {
    tokio::time::timeout(TIMEOUT, frames.next()).await.expect("a frame comes in time")
}

#[tokio::test]
async fn queue_of_a_user_is_found() {
    let (server, directory) = start(&[]).await;
    let script = snippet("docs/how-to/deploy.md", "home-queue").unwrap().code;
    let script = format!("{script}\nprintf %s \"$QUEUE_URL\"");
    let find = async |user: &str, outputs: Value| {
        std::fs::write(directory.path().join("outputs.json"), outputs.to_string()).unwrap();
        run(&script, &server, &directory, &[("USER_ID", user)]).await
    };
    assert_eq!(find("alice", json!({ "queueUrl": "only" })).await, "only");
    // Two of the vectors of contracts/notifications/v1/fixtures/home-queues.json.
    let several = json!({ "queueUrl": "0", "queueUrls": ["0", "1", "2"] });
    assert_eq!(find("alice", several.clone()).await, "2");
    assert_eq!(find("a", several.clone()).await, "0");
    // Either form of an id has the same queue.
    assert_eq!(find("José Pérez", several.clone()).await, find("u8:Sm9zw6kgUMOpcmV6", several).await);
}

#[tokio::test]
async fn curl_snippet_runs() {
    let (server, directory) = start(&[]).await;
    let script = snippet(CLIENTS, "curl").unwrap();
    let printed = run(&script.code, &server, &directory, &[]).await;
    // The last line is a token, which opens a connection of its user.
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
async fn readme_snippet_runs() {
    let (server, directory) = start(&[]).await;
    let script = snippet("README.md", "send-and-receive").unwrap().code;
    // The script has the default port.
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

/// A running program and its output.
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
        let line = tokio::time::timeout(TIMEOUT, self.lines.next_line()).await;
        line.expect("the program writes in time").unwrap().expect("the program is running")
    }
}

#[tokio::test]
async fn python_snippet_runs() {
    let settings = [("TIDINGS_HISTORY__ENABLED", "true"), ("TIDINGS_LIMITS__PAYLOAD_DEPTH", "20000")];
    let (server, directory) = start(&settings).await;
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
        // The server closes the connection, so the next notification comes on another one.
        let sessions = ask(&server, reqwest::Method::GET, "/v1/history/alice/sessions", None).await;
        let connection = sessions["items"][0]["connectionId"].as_str().unwrap().to_owned();
        ask(&server, reqwest::Method::DELETE, &format!("/@connections/{connection}"), None).await;
        produce(n + 1).await;
    }
    assert_eq!(receiving.line().await, r#"id-6 {"n": 6}"#);
    // Python's parser follows only some levels.
    let deep = format!(
        r#"{{"userId":"alice","id":"deep","payload":{}1{}}}"#,
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let key = std::fs::read_to_string(server.data_dir.join("api-key")).unwrap();
    let request = server.http().post(format!("{}/v1/notifications", server.url)).bearer_auth(key.trim());
    assert_eq!(request.body(deep).send().await.unwrap().status(), 202);
    produce(7).await;
    assert_eq!(receiving.line().await, r#"deep "(nested too deeply to read)""#);
    assert_eq!(receiving.line().await, r#"id-7 {"n": 7}"#);
}

/// Sends a request as the operator.
async fn ask(server: &Server, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
    let key = std::fs::read_to_string(server.data_dir.join("api-key")).unwrap();
    let request = server.http().request(method, format!("{}{path}", server.url)).bearer_auth(key.trim());
    let request = body.map_or(request.try_clone().unwrap(), |body| request.body(body.to_string()));
    let answer = request.send().await.unwrap();
    // Closing a connection that has just ended is answered with 410.
    assert!(answer.status().is_success() || answer.status() == 410, "{path}: {}", answer.status());
    serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null)
}

#[tokio::test]
async fn aws_cli_snippet_runs() {
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
async fn rust_http_snippet_runs() {
    let (server, directory) = start(&[]).await;
    assert!(snippet(CLIENTS, "rust-http").is_ok(), "the example is built from it");
    let own = std::env::current_exe().unwrap();
    let example = own.ancestors().nth(2).unwrap().join("examples/rust_http");
    assert!(
        example.exists(),
        "{} is not built: cargo build -p verification-acceptance --examples",
        example.display()
    );
    for _ in 0..2 {
        let printed = output(&mut command(&example, &server, &directory)).await;
        assert!(printed.contains("order-1042-delivered"), "{printed}");
    }
    let mut listener = listen(&server, "alice");
    assert_eq!(payload(&next(&mut listener).await), json!({ "order": 1042 }));
    // The repeated id was ignored.
    let last = json!({ "userId": "alice", "payload": "last" });
    ask(&server, reqwest::Method::POST, "/v1/notifications", Some(last)).await;
    assert_eq!(payload(&next(&mut listener).await), json!("last"));
}

/// The gateway carries ids in the form that the program computes.
#[tokio::test]
async fn user_ids_are_encoded_as_documented() {
    let program = snippet("docs/reference/user-ids.md", "user-ids").unwrap();
    let printed = output(Command::new("python3").args(["-c", &program.code]).env("PYTHONUTF8", "1")).await;
    let carried: Vec<_> = ["alice", "José Pérez"].map(|name| user(name).to_string()).to_vec();
    assert_eq!(printed.lines().collect::<Vec<_>>(), carried);
}
