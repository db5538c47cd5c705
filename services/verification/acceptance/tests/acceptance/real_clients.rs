//! WebSocket clients and AWS tools that other people wrote, at their defaults, with a real server.
//!
//! The programs are in `services/verification/real-clients`. None of them reconnects, so one that runs has stayed
//! connected. `node_modules/.bin/wscat` and `websocat` are run as they are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use verification_source_clients::{node_clients, python, websocat};

use crate::support::{Server, TIMEOUT, user};

/// A client's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// Python, `websockets`.
    Websockets,
    /// The same, which acknowledges what it has printed.
    WebsocketsAcknowledging,
    /// Python, `aiohttp`.
    Aiohttp,
    /// Node.js, `ws`.
    Ws,
    Wscat,
    Websocat,
}

fn file(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../real-clients")).join(name)
}

impl Program {
    /// Makes a command that connects. `interval` is that of its pings; `None` for the program's default.
    fn command(self, url: &str, interval: Option<&str>) -> Command {
        let python_program = |name| {
            let mut command = Command::new(python());
            command.arg(file(name)).arg(url);
            command.args(interval.iter().flat_map(|interval| ["--interval", *interval]));
            command
        };
        match self {
            Self::Websockets => python_program("receive_websockets.py"),
            Self::WebsocketsAcknowledging => {
                let mut command = python_program("receive_websockets.py");
                command.arg("--acknowledge");
                command
            }
            Self::Aiohttp => python_program("receive_aiohttp.py"),
            Self::Ws => {
                let mut command = Command::new("node");
                command.arg(node_clients().join("receive-ws.mjs")).arg(url).args(interval);
                command
            }
            Self::Wscat => {
                let mut command = Command::new("node");
                command.arg(node_clients().join("node_modules/wscat/bin/wscat")).args(["--connect", url]);
                command
            }
            Self::Websocat => {
                let mut command = Command::new(websocat());
                command.arg(url);
                command.args(interval.iter().flat_map(|interval| ["--ping-interval", *interval]));
                command
            }
        }
    }
}

/// A running client.
struct Client {
    process: Child,
    output: BufReader<ChildStdout>,
    /// The client ends when this does.
    _input: ChildStdin,
}

impl Client {
    /// Starts a client of a user.
    async fn start(program: Program, server: &Server, name: &str, interval: Option<&str>) -> Self {
        // Installs the program, which may take longer than a token is good for.
        drop(program.command("", None));
        let gateway = server.gateway();
        let token = gateway.token(&user(name)).await.unwrap().token;
        let acknowledge = if program == Program::WebsocketsAcknowledging { "&acknowledge=true" } else { "" };
        let url = format!("{}?token={token}{acknowledge}", gateway.web_socket_url());
        let mut command = program.command(&url, interval);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"));
        let output = BufReader::new(process.stdout.take().unwrap());
        let input = process.stdin.take().unwrap();
        Self { process, output, _input: input }
    }

    /// Returns the number in the next notification that the client prints.
    async fn next(&mut self) -> u64 {
        let read = async {
            loop {
                let mut line = Vec::new();
                let read = self.output.read_until(b'\n', &mut line).await.unwrap();
                assert!(read > 0, "the client has ended: {:?}", self.process.wait().await);
                if let Some(number) = number(&line) {
                    return number;
                }
            }
        };
        tokio::time::timeout(TIMEOUT, read).await.expect("a notification comes in time")
    }

    /// Kills the client (SIGKILL) and returns the numbers of what it has printed and nobody has read.
    async fn kill(mut self) -> Vec<u64> {
        self.process.kill().await.unwrap();
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).await.unwrap();
        // A line that is cut off has not been printed.
        rest.split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n"))
            .filter_map(number)
            .collect()
    }
}

/// Returns the number in a printed notification. Some programs print escape sequences and prompts around it.
fn number(line: &[u8]) -> Option<u64> {
    let line = String::from_utf8_lossy(line);
    let json = line.get(line.find(r#"{"type":"notification""#)?..)?;
    let frame = serde_json::Deserializer::from_str(json).into_iter::<Value>().next()?.ok()?;
    frame["payload"]["n"].as_u64()
}

/// Sends notifications with these numbers. Each is so large that some hundred don't fit into a pipe.
async fn produce(server: &Server, name: &str, numbers: std::ops::Range<u64>) {
    let padding = "x".repeat(2_000);
    let lines: Vec<String> = numbers
        .map(|n| json!({ "userId": name, "payload": { "n": n, "padding": padding } }).to_string())
        .collect();
    let answer = request(server, reqwest::Method::POST, "/v1/notifications")
        .header("content-type", "application/x-ndjson")
        .body(lines.join("\n"))
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    assert!(!answer.text().await.unwrap().contains("error"));
}

fn request(server: &Server, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
    let key = std::fs::read_to_string(server.data_dir.join("api-key")).unwrap();
    server.http().request(method, format!("{}{path}", server.url)).bearer_auth(key.trim())
}

/// Leaves a client without messages for a time, and then sends it one, which must arrive on the same connection.
async fn idle(program: Program, interval: Option<&str>, time: Duration) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    produce(&server, "alice", 0..1).await;
    let mut client = Client::start(program, &server, "alice", interval).await;
    assert_eq!(client.next().await, 0);
    tokio::time::sleep(time).await;
    produce(&server, "alice", 1..2).await;
    assert_eq!(client.next().await, 1);
    assert!(client.process.try_wait().unwrap().is_none(), "{program:?} has ended");
}

/// Three pings of a client's own, each of which is the only frame under way.
const PINGS: Duration = Duration::from_millis(4_500);

#[tokio::test]
async fn python_websockets_stays_connected() {
    idle(Program::Websockets, Some("1"), PINGS).await;
}

#[tokio::test]
async fn aiohttp_stays_connected() {
    idle(Program::Aiohttp, Some("1"), PINGS).await;
}

#[tokio::test]
async fn ws_stays_connected() {
    idle(Program::Ws, Some("1"), PINGS).await;
}

/// At the defaults of the clients, for longer than each of them waits for a pong.
#[tokio::test]
#[ignore = "takes two minutes; scripts/test --deep runs it"]
async fn clients_stay_connected_for_two_minutes() {
    let two_minutes = Duration::from_mins(2);
    tokio::join!(
        idle(Program::Websockets, None, two_minutes),
        idle(Program::Aiohttp, None, two_minutes),
        idle(Program::Ws, None, two_minutes),
        idle(Program::Wscat, None, two_minutes),
        idle(Program::Websocat, None, two_minutes),
    );
}

/// Sends a client notifications before and after it connects. They arrive in order and once.
async fn held_and_live_ones_arrive_in_order(program: Program) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    produce(&server, "alice", 0..200).await;
    let mut client = Client::start(program, &server, "alice", None).await;
    for n in 0..100 {
        assert_eq!(client.next().await, n, "{program:?}");
    }
    produce(&server, "alice", 200..300).await;
    for n in 100..300 {
        assert_eq!(client.next().await, n, "{program:?}");
    }
}

#[tokio::test]
async fn wscat_gets_held_and_live_ones_in_order() {
    held_and_live_ones_arrive_in_order(Program::Wscat).await;
}

#[tokio::test]
async fn python_websockets_gets_held_and_live_ones_in_order() {
    held_and_live_ones_arrive_in_order(Program::Websockets).await;
}

/// Kills a client while it prints held notifications. What it has not printed comes on its next connection, in order and
/// before newer ones; some may come again.
async fn killed_client_loses_nothing(program: Program) {
    const HELD: u64 = 200;
    const READ: u64 = 70;
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    produce(&server, "alice", 0..HELD).await;
    let mut client = Client::start(program, &server, "alice", None).await;
    let mut printed = BTreeSet::new();
    for n in 0..READ {
        assert_eq!(client.next().await, n, "the first connection is in order");
        printed.insert(n);
    }
    printed.extend(client.kill().await);
    assert!((printed.len() as u64) < HELD, "{program:?} has printed everything before it was killed");
    produce(&server, "alice", HELD..HELD + 10).await;

    let mut client = Client::start(program, &server, "alice", None).await;
    let mut arrived = vec![client.next().await];
    while arrived.last() != Some(&(HELD + 9)) {
        arrived.push(client.next().await);
    }
    produce(&server, "alice", HELD + 10..HELD + 11).await;
    arrived.push(client.next().await);
    assert!(arrived.is_sorted_by(|a, b| a < b), "{program:?}: {arrived:?}");
    printed.extend(arrived);
    let missing: Vec<_> = (0..HELD + 11).filter(|n| !printed.contains(n)).collect();
    assert!(missing.is_empty(), "{program:?} never got {missing:?}");
}

/// The package answers pings as soon as it has read them, and the program prints later. So only acknowledging makes sure
/// that everything is printed. The same is true of wscat, which can't acknowledge.
#[tokio::test]
async fn killed_acknowledging_websockets_client_loses_nothing() {
    killed_client_loses_nothing(Program::WebsocketsAcknowledging).await;
}

#[tokio::test]
async fn killed_aiohttp_client_loses_nothing() {
    killed_client_loses_nothing(Program::Aiohttp).await;
}

#[tokio::test]
async fn killed_ws_client_loses_nothing() {
    killed_client_loses_nothing(Program::Ws).await;
}

#[tokio::test]
async fn killed_websocat_loses_nothing() {
    killed_client_loses_nothing(Program::Websocat).await;
}

#[tokio::test]
async fn boto3_manages_connections() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_with(directory.path(), &[("TIDINGS_HISTORY__ENABLED", "true")]).await;
    produce(&server, "alice", 0..1).await;
    let mut client = Client::start(Program::Ws, &server, "alice", None).await;
    client.next().await;
    let session = async {
        loop {
            let page = request(&server, reqwest::Method::GET, "/v1/history/alice/sessions");
            let page: Value =
                serde_json::from_str(&page.send().await.unwrap().text().await.unwrap()).unwrap();
            if let Some(id) = page["items"][0]["connectionId"].as_str() {
                return id.to_owned();
            }
        }
    };
    let connection = tokio::time::timeout(TIMEOUT, session).await.expect("the session is in the history");

    let text = std::fs::read_to_string(directory.path().join("credentials.toml")).unwrap();
    let credentials: toml::Table = text.parse().unwrap();
    let secret = |name: &str| find(&credentials, name).unwrap_or_else(|| panic!("no {name}"));
    let managing = Command::new(python())
        .arg(file("manage.py"))
        .args([&server.url, &connection])
        .env("AWS_ACCESS_KEY_ID", secret("access_key_id"))
        .env("AWS_SECRET_ACCESS_KEY", secret("secret_access_key"))
        .kill_on_drop(true)
        .output();
    let managed = tokio::time::timeout(TIMEOUT, managing).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&managed.stderr);
    assert!(managed.status.success(), "{errors}");
    let lines: Vec<Value> = String::from_utf8(managed.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["sourceIp"], "127.0.0.1");
    let gone = json!(["GoneException", 410]);
    let refusals = [
        json!(["ForbiddenException", 403]),
        json!(["PayloadTooLargeException", 413]),
        gone.clone(),
        gone.clone(),
        gone,
    ];
    assert_eq!(lines[1..], refusals);
    let mut rest = String::new();
    tokio::time::timeout(TIMEOUT, client.output.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest.trim_end(), r#"{"from": "boto3"}"#);
}

/// Finds a text in a table or in the tables and lists below it.
fn find<'a>(table: &'a toml::Table, name: &str) -> Option<&'a str> {
    table.iter().find_map(|(key, value)| match value {
        toml::Value::String(text) if key == name => Some(text.as_str()),
        toml::Value::Table(inner) => find(inner, name),
        toml::Value::Array(items) => {
            items.iter().filter_map(toml::Value::as_table).find_map(|t| find(t, name))
        }
        _ => None,
    })
}
