//! The proxies of the how-to guide: each program runs the guide's configuration in front of a server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_client::{ApiKeyCredentials, Gateway, Listener, ListenerConfig};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use verification_snippets::{document, snippet};
use verification_source_clients::aws_cli;

use crate::support::{Server, TIMEOUT, next, user};

const GUIDE: &str = "docs/how-to/proxy.md";

/// Folder with the programs, which `scripts/apt-unpack` fills.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = std::process::Command::new(document("scripts/apt-unpack"))
        .args(["proxies", "caddy", "haproxy", "nginx"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(script.status.success(), "nginx, HAProxy and Caddy can't be had");
    String::from_utf8(script.stdout).unwrap().trim_end().into()
});

/// A proxy in front of a server, both with the guide's configuration.
struct Setup {
    server: Server,
    /// The proxy's address.
    address: SocketAddr,
    directory: TempDir,
    _proxy: Child,
}

impl Setup {
    async fn start(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = directory.path().join("tidings.toml");
        std::fs::write(&settings, snippet(GUIDE, "settings").unwrap().code).unwrap();
        let environment = [("TIDINGS_HANDSHAKE__OPEN", "true")];
        let server =
            Server::start_configured(&settings, &directory.path().join("tidings-data"), &environment).await;
        let code = snippet(GUIDE, name).unwrap().code;
        // The programs can't say which port they took, so another is tried if somebody else was faster.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let code = replace_once(&code, "127.0.0.1:8080", server.url.strip_prefix("http://").unwrap());
            let code = replace_once(&code, "8000", &port.to_string());
            let mut proxy = command(name, &code, directory.path());
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut proxy = proxy.kill_on_drop(true).stdin(Stdio::null()).spawn().unwrap();
            if is_listening(&mut proxy, address).await {
                return Self { server, address, directory, _proxy: proxy };
            }
        }
        panic!("{name} does not start");
    }

    /// The base URL that clients use.
    fn url(&self) -> String {
        format!("http://{}/tidings", self.address)
    }

    fn gateway(&self) -> Gateway {
        Gateway::new(&self.url()).unwrap().with_api_key(self.key())
    }

    fn key(&self) -> String {
        std::fs::read_to_string(self.server.data_dir.join("api-key")).unwrap().trim().to_owned()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.server.http().get(format!("{}{path}", self.url())).bearer_auth(self.key());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
    }
}

/// Replaces text that the guide has once beside its comments.
#[track_caller]
fn replace_once(code: &str, from: &str, to: &str) -> String {
    assert_eq!(code.matches(from).count(), 1, "{from} in {code}");
    code.replace(from, to)
}

/// Makes the command that runs a proxy in the foreground, with all its files in `directory`.
fn command(name: &str, code: &str, directory: &Path) -> Command {
    let file = |file: &str, text: &str| {
        let path = directory.join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut command =
        Command::new(PROGRAMS.join(if name == "caddy" { "usr/bin" } else { "usr/sbin" }).join(name));
    let libraries = std::fs::read_dir(PROGRAMS.join("usr/lib")).unwrap().map(|entry| entry.unwrap().path());
    let libraries: Vec<_> = libraries.map(|path| path.display().to_string()).collect();
    command.env("LD_LIBRARY_PATH", libraries.join(":")).current_dir(directory);
    match name {
        "nginx" => {
            // The files of a system's nginx.conf around the guide's.
            let folder = |kind: &str| format!("{kind}_temp_path {}/{kind};", directory.display());
            let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(folder).join("\n");
            let site = file("tidings.conf", code);
            let all = format!(
                "daemon off; pid nginx.pid; error_log stderr warn; events {{}}\n\
                 http {{ access_log off;\n{folders}\ninclude {}; }}\n",
                site.display()
            );
            command.args(["-e", "stderr", "-p"]).arg(directory).arg("-c").arg(file("nginx.conf", &all));
        }
        "haproxy" => {
            command.arg("-db").arg("-f").arg(file("haproxy.cfg", code));
        }
        _ => {
            let all = format!("{{\n    admin off\n}}\n{code}");
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file("Caddyfile", &all));
            command.env("HOME", directory).env("XDG_DATA_HOME", directory).env("XDG_CONFIG_HOME", directory);
        }
    }
    command
}

/// Waits until the proxy accepts connections. Returns false if it ends.
async fn is_listening(proxy: &mut Child, address: SocketAddr) -> bool {
    let listening = async {
        loop {
            if proxy.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(address).await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, listening).await.expect("the proxy starts in time")
}

/// Notifications, a WebSocket, pages and errors arrive as without a proxy.
async fn check_clients(setup: &Setup) {
    let gateway = setup.gateway();
    let credentials = ApiKeyCredentials::new(gateway.clone(), user("alice"));
    let mut listener = Listener::start(gateway.web_socket_url(), credentials, ListenerConfig::default());
    for n in 0..20 {
        let body = json!({ "userId": "alice", "id": format!("n-{n}"), "payload": n }).to_string();
        let request = setup.server.http().post(format!("{}/v1/notifications", setup.url()));
        let answer = request.bearer_auth(setup.key()).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        assert_eq!(next(&mut listener).await.payload.get(), n.to_string());
    }
    assert_eq!(setup.get("/v1/info").await.0, 200);
    let (status, problem) = setup.get("/v1/users/%ff").await;
    assert_eq!((status, &problem["type"]), (400, &json!("urn:tidings:problem:bad-request")));
    // Two MiB in one body, as a producer may send them.
    let lines = format!("{}\n", json!({ "userId": "bob", "payload": "x".repeat(100_000) })).repeat(20);
    let request = setup.server.http().post(format!("{}/v1/notifications?ack=summary", setup.url()));
    let request = request.header("content-type", "application/x-ndjson").bearer_auth(setup.key()).body(lines);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["accepted"], 20, "{answer}");
}

/// The server shows the client's address, not the proxy's nor one that the client made up.
async fn check_address(setup: &Setup) {
    let socket = TcpSocket::new_v4().unwrap();
    // Another address of this machine, to tell the client from the proxy.
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let socket = socket.connect(setup.address).await.unwrap();
    let url = format!("{}/ws?client_id=carol", setup.url().replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    for (name, value) in [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=198.51.100.8")] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut client, _) = client_async(request, socket).await.unwrap();
    let body = json!({ "userId": "carol", "payload": "hello" }).to_string();
    let request = setup.server.http().post(format!("{}/v1/notifications", setup.url()));
    request.bearer_auth(setup.key()).body(body).send().await.unwrap();
    // Once a notification has come, the server knows the connection's peer.
    let frame = tokio::time::timeout(TIMEOUT, client.next()).await.unwrap().unwrap().unwrap();
    assert!(frame.to_text().unwrap().contains("hello"), "{frame}");
    let (_, carol) = setup.get("/v1/users/carol").await;
    assert_eq!(carol["connections"][0]["sourceIp"], "127.0.0.2", "{carol}");
    // A signed request survives: the AWS CLI signs host and path as it sends them.
    let id = carol["connections"][0]["id"].as_str().unwrap();
    let secrets = std::fs::read_to_string(setup.server.data_dir.join("credentials.toml")).unwrap();
    let secrets: toml::Table = secrets.parse().unwrap();
    let mut cli = Command::new(aws_cli().join("aws"));
    cli.args(["apigatewaymanagementapi", "get-connection", "--connection-id", id, "--endpoint-url"])
        .arg(setup.url())
        .env("AWS_ACCESS_KEY_ID", secrets["access_key_id"].as_str().unwrap())
        .env("AWS_SECRET_ACCESS_KEY", secrets["secret_access_key"].as_str().unwrap())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", setup.directory.path().join("none"));
    let output = tokio::time::timeout(TIMEOUT, cli.output()).await.unwrap().unwrap();
    let described = String::from_utf8_lossy(&output.stdout);
    assert!(described.contains("127.0.0.2"), "{described}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn nginx_configuration_works() {
    let setup = Setup::start("nginx").await;
    check_clients(&setup).await;
    check_address(&setup).await;
}

#[tokio::test]
async fn haproxy_configuration_works() {
    let setup = Setup::start("haproxy").await;
    check_clients(&setup).await;
    check_address(&setup).await;
}

#[tokio::test]
async fn caddy_configuration_works() {
    let setup = Setup::start("caddy").await;
    check_clients(&setup).await;
    check_address(&setup).await;
}
