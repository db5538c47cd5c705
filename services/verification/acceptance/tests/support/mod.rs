//! A real server process, and users whose story is written down and checked.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "every suite uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use contract_frames_v1::Delivery;
use contract_notifications_v1::{Notification, NotificationId, NotificationRequest, Timestamp, UserId};
use tidings_client::{ApiKeyCredentials, Event, Gateway, Listener, ListenerConfig};
pub use verification_conformance::Story;

/// How long anything may take before a test gives up. No test is right or wrong by it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A server process on a data directory, killed when dropped.
pub struct Server {
    process: Child,
    pub url: String,
    pub data_dir: PathBuf,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub async fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[]).await
    }

    /// Starts a server with settings from the environment.
    pub async fn start_with(data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_from(None, data_dir, environment).await
    }

    /// Starts a server with a configuration of `docs/examples`, and settings from the environment.
    pub async fn start_example(name: &str, data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_from(Some(&example(name)), data_dir, environment).await
    }

    async fn start_from(config: Option<&Path>, data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        let config = config.map(|path| [std::ffi::OsStr::new("--config"), path.as_os_str()]);
        let mut process = Command::new(env!("CARGO_BIN_EXE_verification-acceptance"))
            .args(["--json", "serve", "--listen", "127.0.0.1:0"])
            .args(config.into_iter().flatten())
            .env("TIDINGS_DATA_DIR", data_dir)
            .env("TIDINGS_LOG__LEVEL", "warn")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server program starts");
        let output = process.stdout.take().expect("its output is piped");
        // The first line says where it listens; it is written when the server answers.
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).map(|_| line)
        });
        let line = tokio::time::timeout(PATIENCE, line).await.expect("the server is ready in time");
        let line = line.unwrap().expect("the server says where it listens");
        let ready: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let url = ready["url"].as_str().expect("the ready line has the url").to_owned();
        Self { process, url, data_dir: data_dir.to_owned() }
    }

    /// The server's HTTP side, with its API key.
    pub fn gateway(&self) -> Gateway {
        let key = std::fs::read_to_string(self.data_dir.join("api-key")).expect("the server made an API key");
        Gateway::new(&self.url).unwrap().with_api_key(key.trim())
    }

    /// A plain HTTP client.
    pub fn http(&self) -> reqwest::Client {
        // The gateway's client makes ring the process's TLS provider, without which there is no client.
        drop(self.gateway());
        reqwest::Client::new()
    }

    /// A listener of a user, with single-use tokens.
    pub fn listen(&self, user: &UserId, config: ListenerConfig) -> Listener {
        let gateway = self.gateway();
        Listener::start(gateway.web_socket_url(), ApiKeyCredentials::new(gateway, user.clone()), config)
    }

    /// Ends the process at once, as a crash does (SIGKILL).
    pub fn kill(mut self) {
        self.process.kill().expect("the server is there to be killed");
        self.process.wait().expect("the server is gone");
    }

    /// Asks the process to end (SIGTERM) and gives whether it did so successfully.
    pub fn terminate(mut self) -> bool {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.process.wait().unwrap().success()
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A configuration of `docs/examples`.
pub fn example(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/examples")).join(name)
}

pub fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// A notification with an id of its own.
pub fn notification(user: &UserId, payload: &serde_json::Value) -> Notification {
    let body = serde_json::json!({ "userId": user, "payload": payload }).to_string();
    let id = || NotificationId::new(uuid::Uuid::now_v7().to_string()).unwrap();
    NotificationRequest::from_json(&body).unwrap().complete(id, now())
}

pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}

/// Waits for the next notification of a listener, over as many connections as it takes.
pub async fn next(listener: &mut Listener) -> Delivery {
    let wait = async {
        loop {
            match listener.next().await.expect("the listener goes on").expect("the listener is let in") {
                Event::Notification(received) => return received.delivery,
                Event::Refused { code, message, .. } => panic!("{code:?}: {message}"),
                Event::Connected | Event::Disconnected { .. } | Event::Raw(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("a notification arrives in time")
}

/// Waits until a listener is connected.
pub async fn connected(listener: &mut Listener) {
    let wait = async {
        loop {
            match listener.next().await.expect("the listener goes on").expect("the listener is let in") {
                Event::Connected => return,
                Event::Disconnected { .. } => {}
                other => panic!("{other:?} came before the connection"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the connection is there in time");
}
