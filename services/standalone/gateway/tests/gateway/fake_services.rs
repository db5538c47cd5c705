//! A server with fakes behind it, and a client that sends bytes as they are.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_token::{Handshake, IssueError, IssuedToken, Refusal, Subject};
use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_frames_v1::ServerFrame;
use contract_history_v1::{Message, MessageKey, Page, PageRequest, Session, SessionKey};
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{NotificationId, Sequence, Timestamp, UserId, Version1};
use dispatcher::ports::Connections as _;
use shared_ports::{Clock as _, PortError, SystemClock};
use tidings_gateway::figures::Snapshot;
use tidings_gateway::life::{Life, Sources};
use tidings_gateway::server::{
    AddUserError, AuthError, DeadLetter, Guest, Login, NewUser, Server, Services, Settings, TlsKeys, Which,
};
use tidings_identity::accounts::Account;
use tidings_sockets::{Limits, Registry, run_sweeper};
use tidings_store::{AcceptError, Accepted, MailboxView, Search, Submission};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use ws_edge::{Admission, ConnectError, ConnectRequest, DeliveryOnly, Edge, EdgeConfig, MessageRequest};

pub(crate) const KEY: &str = "the-api-key";

pub(crate) type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Debug, Clone, Default)]
pub(crate) struct FakeMailbox(pub(crate) Arc<Mutex<Vec<Sequence>>>);

impl ws_edge::ports::Mailbox for FakeMailbox {
    async fn acknowledge(&self, _: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        self.0.lock().unwrap().extend(sequences);
        Ok(())
    }
}

/// Everything behind the server, in memory. Handshakes are taken at their word (`?client_id=`).
pub(crate) struct World {
    pub(crate) edge: Edge<DeliveryOnly<Registry, FakeMailbox, SystemClock>>,
    pub(crate) acknowledged: FakeMailbox,
    pub(crate) accepted: Mutex<Vec<Submission>>,
    pub(crate) failing: Mutex<Option<AcceptError>>,
    pub(crate) not_ready: AtomicBool,
    /// Whether each connection is closed before its socket opens.
    pub(crate) taken_away: AtomicBool,
    pub(crate) letters: Mutex<HashMap<String, DeadLetter>>,
    pub(crate) disconnected: Mutex<Vec<ConnectionKey>>,
    /// Which pages of the history were asked for.
    pub(crate) histories: Mutex<Vec<String>>,
    next: AtomicU64,
}

impl Services for World {
    async fn accept(&self, submissions: Vec<Submission>) -> Result<Vec<Accepted>, AcceptError> {
        if let Some(error) = *self.failing.lock().unwrap() {
            return Err(error);
        }
        let mut known = self.accepted.lock().unwrap();
        let accepted = submissions.into_iter().map(|submission| {
            let same = |earlier: &Submission| earlier.notification.id == submission.notification.id;
            let duplicate = submission.deduplicate && known.iter().any(same);
            known.push(submission);
            let sequence = Sequence::new(u128::from(self.next.fetch_add(1, Ordering::SeqCst)));
            Accepted { sequence, duplicate }
        });
        Ok(accepted.collect())
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn check_api_key(&self, key: &str) -> Result<(), AuthError> {
        if key == KEY { Ok(()) } else { Err(AuthError::Refused("the API key is not valid".to_owned())) }
    }

    fn check_signature(&self, _: &axum::http::request::Parts, body: &[u8]) -> Result<(), AuthError> {
        if body == b"signed" {
            Ok(())
        } else {
            Err(AuthError::Refused("the signature is not valid".to_owned()))
        }
    }

    async fn authorize(&self, handshake: &Handshake) -> Result<Principal, Refusal> {
        let client = handshake.query.iter().find(|(name, _)| name == "client_id");
        let (_, user) = client.ok_or(Refusal::from(auth_token::Reason::NoCredential))?;
        let user_id = UserId::new(user.as_str()).map_err(auth_token::Reason::ClientId)?;
        let (username, hubs, expires_at) = (None, Vec::new(), None);
        Ok(Principal {
            version: Version1,
            user_id,
            username,
            method: AuthenticationMethod::Open,
            hubs,
            expires_at,
        })
    }

    async fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> Result<Admission, ConnectError> {
        let admission = self.edge.connect(principal, request).await?;
        if self.taken_away.load(Ordering::SeqCst) {
            ws_edge::ports::Connections::close(&self.edge.connections, &ConnectionKey::from(&admission.row))
                .await?;
        }
        Ok(admission)
    }

    async fn message(&self, principal: &Principal, request: MessageRequest<'_>) -> Option<ServerFrame> {
        self.edge.message(principal, request).await
    }

    async fn disconnect(
        &self,
        principal: &Principal,
        id: &ConnectionId,
        opened_at: Timestamp,
    ) -> Result<(), PortError> {
        let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id: id.clone() };
        self.disconnected.lock().unwrap().push(key);
        self.edge.disconnect(principal, id, opened_at).await
    }

    fn verify_user(&self, jwt: &str) -> Result<Subject, AuthError> {
        let user =
            jwt.strip_prefix("jwt.of.").ok_or(AuthError::Refused("the token is not valid".to_owned()))?;
        Ok(Subject { user_id: UserId::new(user).unwrap(), username: user.to_owned(), hubs: Vec::new() })
    }

    async fn issue_token(&self, subject: Subject) -> Result<IssuedToken, IssueError> {
        let token = format!("token-of-{}", subject.user_id);
        Ok(IssuedToken { token, expires_at: Timestamp::from_millis(30_000) })
    }

    async fn login(&self, username: &str, password: &str) -> Result<Login, AuthError> {
        if password != "right" {
            return Err(AuthError::Refused("username or password is wrong".to_owned()));
        }
        Ok(Login { id_token: format!("jwt.of.{username}"), expires_at: Timestamp::from_millis(1) })
    }

    fn guest(&self) -> Result<Option<Guest>, AuthError> {
        Ok(None)
    }

    async fn add_user(&self, user: NewUser) -> Result<Account, AddUserError> {
        match (user.user_id.as_str(), user.password.as_str()) {
            (_, "short") => {
                Err(AddUserError::Invalid("the password has 5 characters; allowed are 8 to 256".to_owned()))
            }
            ("taken", _) => Err(AddUserError::Exists),
            _ => Ok(Account { user_id: user.user_id, created_at: Timestamp::from_millis(3) }),
        }
    }

    async fn users(&self) -> Result<Vec<Account>, PortError> {
        Ok(vec![Account { user_id: UserId::new("ann").unwrap(), created_at: Timestamp::from_millis(3) }])
    }

    fn jwks(&self) -> String {
        r#"{"keys":[]}"#.to_owned()
    }

    async fn dead_letters(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let mut letters: Vec<_> = self.letters.lock().unwrap().values().cloned().collect();
        letters.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(letters
            .into_iter()
            .filter(|letter| after.is_none_or(|after| *letter.id > *after))
            .take(limit)
            .collect())
    }

    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, PortError> {
        Ok(self.letters.lock().unwrap().get(id).cloned())
    }

    async fn redrive(&self, which: Which) -> Result<usize, PortError> {
        self.purge(which).await
    }

    async fn purge(&self, which: Which) -> Result<usize, PortError> {
        let mut letters = self.letters.lock().unwrap();
        Ok(match which {
            Which::All => std::mem::take(&mut *letters).len(),
            Which::One(id) => usize::from(letters.remove(&id).is_some()),
        })
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<Option<Page<Session>>, PortError> {
        self.histories.lock().unwrap().push(format!("{user} {page:?}"));
        match user.as_str() {
            "off" => Ok(None),
            "down" => Err(PortError::retryable("reading the history", "down")),
            _ => Ok(Some(Page { items: Vec::new(), next: None })),
        }
    }

    async fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> Result<Option<Page<Message>>, PortError> {
        self.histories.lock().unwrap().push(format!("{user} {page:?}"));
        Ok(Some(Page { items: Vec::new(), next: page.before.map(|key| key.to_string()) }))
    }

    fn figures(&self, after: Option<Timestamp>) -> Option<Vec<Snapshot>> {
        (after != Some(Timestamp::from_millis(0))).then(Vec::new)
    }

    async fn mailbox(&self, user: &UserId, limit: usize) -> Result<MailboxView, PortError> {
        match user.as_str() {
            "down" => Err(PortError::retryable("reading a mailbox", "down")),
            _ => Ok(MailboxView { first: Vec::new(), count: limit, more: true }),
        }
    }

    fn keeps_history(&self) -> bool {
        false
    }

    async fn life(&self, user: &UserId, id: &NotificationId) -> Result<Life, PortError> {
        let (kept, dead) = (Search { found: None, complete: true }, Search { found: None, complete: true });
        let sources = Sources { kept, dead, history: None, followed: None };
        Ok(Life::of(user.clone(), id.clone(), sources))
    }

    fn follow(&self, user: &UserId, _: &NotificationId) -> bool {
        user.as_str() != "many"
    }

    fn ready(&self) -> Result<(), String> {
        if self.not_ready.load(Ordering::SeqCst) {
            Err("the store is being opened".to_owned())
        } else {
            Ok(())
        }
    }
}

pub(crate) fn letter(id: &str) -> DeadLetter {
    DeadLetter {
        id: id.to_owned(),
        user_id: UserId::new("jo").unwrap(),
        notification_id: Some(NotificationId::new("n1").unwrap()),
        reason: "not a valid JSON notification".to_owned(),
        since: Timestamp::from_millis(5),
        notification: None,
    }
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) world: Arc<World>,
    pub(crate) registry: Registry,
    pub(crate) inserted: UnboundedReceiver<ConnectionKey>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

pub(crate) async fn start() -> TestServer {
    start_with(Settings::default(), Limits::default(), None).await
}

pub(crate) async fn start_with(settings: Settings, limits: Limits, tls: Option<TlsKeys>) -> TestServer {
    let (sender, inserted) = unbounded_channel();
    let registry = Registry::new(sender, limits);
    let acknowledged = FakeMailbox::default();
    let edge = Edge::new(registry.clone(), acknowledged.clone(), SystemClock, EdgeConfig::default());
    let world = Arc::new(World {
        edge,
        acknowledged,
        accepted: Mutex::default(),
        failing: Mutex::default(),
        not_ready: AtomicBool::new(false),
        taken_away: AtomicBool::new(false),
        letters: Mutex::default(),
        disconnected: Mutex::default(),
        histories: Mutex::default(),
        next: AtomicU64::new(1),
    });
    let settings = Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..settings };
    let server = Server::bind(settings, tls, world.clone(), registry.clone(), None).unwrap();
    let address = server.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(run_sweeper(registry.clone(), SystemClock, std::future::pending()));
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    TestServer { address, world, registry, inserted, stop: Some(stop), running }
}

impl TestServer {
    /// Connects as a user.
    pub(crate) async fn connect(&mut self, user: &str) -> (Client, ConnectionKey) {
        self.connect_with(user, "").await
    }

    pub(crate) async fn connect_with(&mut self, user: &str, query: &str) -> (Client, ConnectionKey) {
        let url = format!("ws://{}/ws?client_id={user}{query}", self.address);
        let (client, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        (client, self.inserted.recv().await.unwrap())
    }

    /// Waits until the user has so many connections.
    pub(crate) async fn until_connections(&self, user: &str, count: usize) {
        let user = UserId::new(user).unwrap();
        within(async {
            while self.registry.list(&user).await.unwrap().len() != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// Asks the server to shut down.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for the end of the shutdown.
    pub(crate) async fn stopped(self) {
        within(self.running).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", path, &[], body.as_ref()).await
    }

    /// Sends a request with the API key, unless another credential is given.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("authorization")) {
            write!(head, "authorization: Bearer {KEY}\r\n").unwrap();
        }
        for header in headers {
            write!(head, "{header}\r\n").unwrap();
        }
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let mut bytes = Vec::new();
        within(async {
            socket.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
            // A refused body may not be read to its end.
            let _ = socket.write_all(body).await;
            let _ = socket.read_to_end(&mut bytes).await;
        })
        .await;
        Answer::parse(&bytes)
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self { status, headers: lines.map(header).collect(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Requires a problem document of that status whose detail has all of `words`.
    #[track_caller]
    pub(crate) fn require_problem(&self, status: u16, words: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["requestId"].as_str(), self.header("x-request-id"), "{self:?}");
        let detail = problem["detail"].as_str().unwrap();
        for word in words {
            assert!(detail.contains(word), "{word:?} is not in {detail:?}");
        }
    }
}

/// A test that waits longer has failed.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}
