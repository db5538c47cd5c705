//! A real server process, and helpers for users and notifications.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use contract_frames_v1::Delivery;
use contract_notifications_v1::{Notification, NotificationId, NotificationRequest, Timestamp, UserId};
use tidings_client::{ApiKeyCredentials, Event, Gateway, Listener, ListenerConfig};
pub(crate) use verification_conformance::DeliveryLog;

/// Time after which a test gives up waiting. No test passes or fails by a wait that is shorter.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// A server process on a data directory, killed when dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    pub(crate) data_dir: PathBuf,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(crate) async fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[]).await
    }

    /// Starts a server with settings in environment variables.
    pub(crate) async fn start_with(data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_from(None, data_dir, environment).await
    }

    /// Starts a server with a configuration of `docs/examples` and settings in environment variables.
    pub(crate) async fn start_example(name: &str, data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_from(Some(&example(name)), data_dir, environment).await
    }

    /// Starts a server with a configuration file and settings in environment variables.
    pub(crate) async fn start_configured(
        config: &Path,
        data_dir: &Path,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_from(Some(config), data_dir, environment).await
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
        // The first line has the URL. The server writes it when it is ready to answer.
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).map(|_| line)
        });
        let line = tokio::time::timeout(TIMEOUT, line).await.expect("the server is ready in time");
        let line = line.unwrap().expect("the server writes its URL");
        let ready: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let url = ready["url"].as_str().expect("the ready line has the url").to_owned();
        Self { process, url, data_dir: data_dir.to_owned() }
    }

    /// A client of the server's HTTP API with its API key.
    pub(crate) fn gateway(&self) -> Gateway {
        let key = std::fs::read_to_string(self.data_dir.join("api-key")).expect("the server made an API key");
        Gateway::new(&self.url).unwrap().with_api_key(key.trim())
    }

    /// A plain HTTP client.
    pub(crate) fn http(&self) -> reqwest::Client {
        // Making the gateway's client installs a TLS provider, which every client needs.
        drop(self.gateway());
        reqwest::Client::new()
    }

    /// Starts a listener of a user, with single-use tokens.
    pub(crate) fn listen(&self, user: &UserId, config: ListenerConfig) -> Listener {
        let gateway = self.gateway();
        Listener::start(gateway.web_socket_url(), ApiKeyCredentials::new(gateway, user.clone()), config)
    }

    /// Ends the process at once (SIGKILL), like a crash.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("the server can be killed");
        self.process.wait().expect("the server is gone");
    }

    /// Asks the process to end (SIGTERM) and returns true if it ends successfully.
    pub(crate) fn terminate(mut self) -> bool {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.process.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the path of a configuration of `docs/examples`.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/examples")).join(name)
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// Makes a notification with a new id.
pub(crate) fn notification(user: &UserId, payload: &serde_json::Value) -> Notification {
    let body = serde_json::json!({ "userId": user, "payload": payload }).to_string();
    let id = || NotificationId::new(uuid::Uuid::now_v7().to_string()).unwrap();
    NotificationRequest::from_json(&body).unwrap().complete(id, now())
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}

/// Waits for the next notification of a listener, which may reconnect meanwhile.
pub(crate) async fn next(listener: &mut Listener) -> Delivery {
    let wait = async {
        loop {
            match listener.next().await.expect("the listener is running").expect("the listener is authorized")
            {
                Event::Notification(received) => return received.delivery,
                Event::Refused { code, message, .. } => panic!("{code:?}: {message}"),
                Event::Unreadable { error, .. } => panic!("{error}"),
                Event::Connected | Event::Disconnected { .. } | Event::Raw(_) => {}
            }
        }
    };
    tokio::time::timeout(TIMEOUT, wait).await.expect("a notification arrives in time")
}

/// Waits until a listener is connected.
pub(crate) async fn connected(listener: &mut Listener) {
    let wait = async {
        loop {
            match listener.next().await.expect("the listener is running").expect("the listener is authorized")
            {
                Event::Connected => return,
                Event::Disconnected { .. } => {}
                other => panic!("{other:?} came before the connection"),
            }
        }
    };
    tokio::time::timeout(TIMEOUT, wait).await.expect("the listener connects in time");
}
