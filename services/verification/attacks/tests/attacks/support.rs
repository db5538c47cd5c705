//! A real server process, and a user and a producer whom attacks must not reach.

use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use contract_notifications_v1::{Notification, NotificationId, NotificationRequest, Timestamp, UserId};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tidings_client::{ApiKeyCredentials, Event, Gateway, Listener, ListenerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Time after which a test gives up waiting. No test passes or fails by a wait that is shorter.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// A server process on a data directory, killed when dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    pub(crate) data_dir: PathBuf,
}

impl Server {
    /// Starts a server with settings in environment variables, and waits until it answers.
    pub(crate) async fn start(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_logging(data_dir, settings, Stdio::inherit()).await
    }

    /// As [`Server::start`], with a log of its own.
    pub(crate) async fn start_logging(data_dir: &Path, settings: &[(&str, &str)], log: Stdio) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_verification-attacks"))
            .args(["--json", "serve", "--listen", "127.0.0.1:0"])
            .env("TIDINGS_DATA_DIR", data_dir)
            .env("TIDINGS_LOG__LEVEL", "error")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
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
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let url = ready["url"].as_str().expect("the ready line has the url").to_owned();
        Self { process, url, data_dir: data_dir.to_owned() }
    }

    /// The address that the server listens on.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// The API key of the server's operator.
    pub(crate) fn api_key(&self) -> String {
        let key = std::fs::read_to_string(self.data_dir.join("api-key")).expect("the server made an API key");
        key.trim().to_owned()
    }

    /// A client of the operator, which tries each request once: what it is refused is seen.
    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::new(&self.url).unwrap().with_api_key(self.api_key()).with_attempts(1)
    }

    /// A plain HTTP client.
    pub(crate) fn http(&self) -> reqwest::Client {
        // Making the gateway's client installs a TLS provider, which every client needs.
        drop(self.gateway());
        reqwest::Client::new()
    }

    /// Bytes of the files in the data directory.
    pub(crate) fn stored_bytes(&self) -> u64 {
        fn size(path: &Path) -> u64 {
            // A file may be deleted meanwhile.
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            let of = |entry: std::fs::DirEntry| match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => size(&entry.path()),
                // Files may be allocated in advance.
                Ok(metadata) => 512 * std::os::unix::fs::MetadataExt::blocks(&metadata),
                Err(_) => 0,
            };
            entries.map(of).sum()
        }
        size(&self.data_dir)
    }

    /// Bytes of memory that the process holds now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the status has it");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }

    /// The sum of a metric over its labels, as `/metrics` has it; zero if it is absent.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let request = self.http().get(format!("{}/metrics", self.url)).bearer_auth(self.api_key());
        let text = request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_whole_name = rest.starts_with(' ') || rest.starts_with('{');
            is_whole_name.then(|| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        });
        values.sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A user and a producer beside an attack.
pub(crate) struct Bystander {
    user: UserId,
    listener: Listener,
    producer: Gateway,
    sent: u64,
}

impl Bystander {
    /// Connects the user, with a connect token that the producer gets.
    pub(crate) async fn start(server: &Server, name: &str) -> Self {
        let user = UserId::new(name).unwrap();
        let producer = server.gateway();
        let credentials = ApiKeyCredentials::new(producer.clone(), user.clone());
        let listener = Listener::start(producer.web_socket_url(), credentials, ListenerConfig::default());
        let mut bystander = Self { user, listener, producer, sent: 0 };
        bystander.is_served(1).await;
        bystander
    }

    /// Sends notifications one after the other and receives each.
    ///
    /// # Panics
    /// One is refused, or arrives late, twice, out of order or not at all.
    pub(crate) async fn is_served(&mut self, count: u64) {
        for _ in 0..count {
            self.sent += 1;
            let payload = json!(self.sent);
            let sent = self.producer.send(&notification(&self.user, &payload)).await;
            let accepted = sent.expect("the producer is not refused");
            let received = tokio::time::timeout(TIMEOUT, self.next()).await.expect("it arrives in time");
            assert_eq!(received.0, accepted.sequence.to_string());
            assert_eq!(received.1, payload);
        }
    }

    /// Waits for the producer's next notification: its sequence and its payload. Others may send to the user's hubs.
    async fn next(&mut self) -> (String, Value) {
        loop {
            let event = self.listener.next().await.expect("the listener is running");
            match event.expect("the listener is authorized") {
                Event::Notification(received) => {
                    let delivery = &received.delivery;
                    let payload: Value = serde_json::from_str(delivery.payload.get()).unwrap();
                    if payload.is_number() {
                        return (delivery.sequence.to_string(), payload);
                    }
                }
                Event::Refused { code, message, .. } => panic!("{code:?}: {message}"),
                Event::Unreadable { error, .. } => panic!("{error}"),
                Event::Connected | Event::Disconnected { .. } | Event::Raw(_) => {}
            }
        }
    }
}

/// A client on a WebSocket, which sends what it likes.
pub(crate) struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Connects a user, with a connect token that the operator gets.
    pub(crate) async fn connect(server: &Server, name: &str) -> Self {
        let gateway = server.gateway();
        let token = gateway.token(&UserId::new(name).unwrap()).await.unwrap().token;
        Self::handshake(server, &format!("token={token}")).await.expect("the client connects")
    }

    /// Makes a handshake with a credential in the query. Returns the status if it is refused.
    pub(crate) async fn handshake(server: &Server, query: &str) -> Result<Self, u16> {
        keep_for_fuzzing("handshake", query.as_bytes());
        let url = format!("{}?{query}", server.gateway().web_socket_url());
        match tokio_tungstenite::connect_async(url).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for the next frame; `None` if the server closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(TIMEOUT, self.0.next()).await.expect("a frame in time");
            match message {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Closes the connection and waits until the server has closed it too.
    pub(crate) async fn leave(mut self) {
        let _ = self.0.close(None).await;
        while self.next().await.is_some() {}
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: &str) {
        keep_for_fuzzing("client_frame", frame.as_bytes());
        self.0.send(Message::text(frame)).await.expect("the server takes the frame");
    }

    /// Sends a frame and returns the answer. Notifications that arrive before it are skipped.
    pub(crate) async fn ask(&mut self, frame: &str) -> Value {
        self.send(frame).await;
        loop {
            let message = tokio::time::timeout(TIMEOUT, self.0.next()).await.expect("an answer in time");
            let Message::Text(text) = message.expect("the connection is open").unwrap() else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["type"] != "notification" && answer["type"] != "notifications" {
                return answer;
            }
        }
    }
}

/// Makes a notification with a new id.
pub(crate) fn notification(user: &UserId, payload: &Value) -> Notification {
    let body = json!({ "userId": user, "payload": payload }).to_string();
    let id = || NotificationId::new(uuid::Uuid::now_v7().to_string()).unwrap();
    NotificationRequest::from_json(&body).unwrap().complete(id, now())
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}

/// Keeps what an attack sends as an input for the fuzz target that reads it, if `TIDINGS_FUZZ_INPUTS` names a folder:
/// `scripts/fuzz --attacks` begins with these.
pub(crate) fn keep_for_fuzzing(target: &str, input: &[u8]) {
    let Some(folder) = std::env::var_os("TIDINGS_FUZZ_INPUTS") else { return };
    let folder = PathBuf::from(folder).join(target);
    let mut hasher = std::hash::DefaultHasher::new();
    input.hash(&mut hasher);
    std::fs::create_dir_all(&folder).expect("the folder of inputs can be made");
    let file = folder.join(format!("attack-{:016x}", hasher.finish()));
    std::fs::write(file, input).expect("an input can be written");
}

/// Opens a TCP connection and sends bytes on it.
pub(crate) async fn send_raw(address: &str, bytes: &[u8]) -> TcpStream {
    keep_for_fuzzing("intake", bytes);
    let mut socket = TcpStream::connect(address).await.expect("the server accepts a connection");
    socket.write_all(bytes).await.expect("the server takes the bytes");
    socket
}

/// Reads until the server closes the connection, and returns what it sent.
pub(crate) async fn read_to_close(mut socket: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset ends a connection too.
    let read = tokio::time::timeout(TIMEOUT, socket.read_to_end(&mut bytes)).await;
    let _ = read.expect("the server closes the connection in time");
    String::from_utf8_lossy(&bytes).into_owned()
}
