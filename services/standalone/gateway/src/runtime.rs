//! The four services over their embedded adapters, as the server sees them.
use auth_token::{
    Adapters, Authorizer, AuthorizerConfig, Handshake, IssueError, IssuedToken, Issuer, IssuerConfig, Ports,
    Refusal, Subject, VerifiedJwt,
};
use axum::http::request;
use contract_connections_v1::{ConnectionId, ConnectionKey};
use contract_frames_v1::ServerFrame;
use contract_history_v1::{MAX_PAGE, Message, MessageKey, Page, PageRequest, Session, SessionKey};
use contract_identity_v1::Principal;
use contract_notifications_v1::{NotificationId, Sequence, Timestamp, UserId};
use sha2::{Digest as _, Sha256};
use shared_ports::{Clock, PortError, SystemClock};
use tidings_identity::accounts::{Account, AccountError, Accounts, LoginError, Password};
use tidings_identity::cipher::LocalCipher;
use tidings_identity::credentials::Credentials;
use tidings_identity::jwt::{JwtIssueError, JwtIssuer, JwtSubject};
use tidings_identity::key_sets::HttpKeySets;
use tidings_identity::shared_secrets::LocalSecrets;
use tidings_identity::sigv4::{self, RequestParts};
use tidings_identity::single_use::SingleUseTokens;
use tidings_identity::tokens::{DEFAULT_CAPACITY, MemoryTokens};
use tidings_sockets::Registry;
use tidings_store::{self, AcceptError, Accepted, MailboxView, Search, Store, StoreError, Submission, Table};
use ws_edge::ports::History as _;
use ws_edge::{Admission, ConnectError, ConnectRequest, Edge, EdgeConfig, MessageRequest};

use crate::figures::{Figures, Snapshot};
use crate::following::{Following, Watched};
use crate::history::StoredHistory;
use crate::hubs::{MemoryHubs, Outbox};
use crate::life::{Life, Sources};
use crate::rates::MemoryRates;
use crate::server::{
    AddUserError, AuthError, DeadLetter, Guest, Login, LoginOffer, NewUser, Services, Which,
};

/// Dead letters read at once when all are redriven or purged.
const DEAD_LETTERS_AT_ONCE: usize = 500;
/// Pages of a user's history that are searched for a notification.
const HISTORY_PAGES: usize = 10;

/// What the names of guests begin with.
const GUEST: &str = "guest-";

/// What the runtime is made with.
pub struct RuntimeConfig {
    /// The edge's limits and policies.
    pub edge: EdgeConfig,
    /// How handshakes are decided.
    pub authorizer: AuthorizerConfig,
    /// How connect tokens are issued.
    pub issuer: IssuerConfig,
    /// Who may log in without an account.
    pub login: LoginOffer,
}

/// What operators watch.
#[derive(Debug, Clone)]
pub struct Watching {
    /// The figures, if any are taken.
    pub figures: Option<Figures>,
    /// The notifications that are followed.
    pub following: Following<SystemClock>,
}

/// What the services are over.
pub struct Parts {
    /// The store, and the broadcasts in it.
    pub outbox: Outbox<SystemClock>,
    /// The open connections.
    pub registry: Registry,
    /// Who is in which hub.
    pub hubs: MemoryHubs,
    /// The history, if one is kept.
    pub history: Option<StoredHistory<SystemClock>>,
    /// What operators watch.
    pub watching: Watching,
}

/// Why the services can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The stored signing key is none.
    #[error(transparent)]
    SigningKey(#[from] JwtIssueError),
    /// The signatures that were used can't be read.
    #[error("the signatures that were used can't be read")]
    UsedSignatures(#[from] StoreError),
}

/// The edge's ports in this process.
struct EdgePorts;

impl ws_edge::ports::Ports for EdgePorts {
    type Connections = Registry;
    type Mailbox = Mailbox;
    type Clock = SystemClock;
    type Hubs = MemoryHubs;
    type MessageQueue = Outbox<SystemClock>;
    type RateLimits = MemoryRates;
    type History = Option<StoredHistory<SystemClock>>;
}

/// The mailboxes as clients reach them.
type Mailbox = Watched<Store<SystemClock>, SystemClock>;

/// The authorizer's adapters in this process.
#[derive(Debug)]
struct LocalAdapters;

impl Adapters for LocalAdapters {
    type Cipher = LocalCipher;
    type Store = SingleUseTokens<SystemClock>;
    type KeySets = HttpKeySets;
    type Secrets = LocalSecrets;
    type Clock = SystemClock;
}

/// The services of this process.
pub struct Runtime {
    clock: SystemClock,
    store: Store<SystemClock>,
    edge: Edge<EdgePorts>,
    issuer: Issuer<LocalCipher, MemoryTokens<SystemClock>, SystemClock>,
    authorizer: Authorizer<LocalAdapters>,
    accounts: Accounts<Table<SystemClock>>,
    login: LoginOffer,
    history: Option<StoredHistory<SystemClock>>,
    watching: Watching,
    jwt: JwtIssuer,
    credentials: Credentials,
}

impl Runtime {
    /// Puts the services together.
    ///
    /// # Errors
    /// [`RuntimeError`] when what is stored can't be read.
    pub fn new(config: RuntimeConfig, over: Parts, credentials: Credentials) -> Result<Self, RuntimeError> {
        let Parts { outbox, registry, hubs, history, watching } = over;
        let store = outbox.store.clone();
        let RuntimeConfig { edge, mut authorizer, issuer, login } = config;
        let clock = SystemClock;
        let tokens = MemoryTokens::new(DEFAULT_CAPACITY, clock);
        let cipher = || LocalCipher::new(&credentials.cipher_key);
        let jwt = JwtIssuer::new(&credentials.signing_seed, &issuer.issuer, &issuer.audience)?;
        authorizer.jwt.issuers.push(jwt.trusted());
        let ports = Ports {
            cipher: cipher(),
            store: SingleUseTokens::open(tokens.clone(), store.table("used-signatures"), clock)?,
            key_sets: HttpKeySets::default(),
            secrets: LocalSecrets,
            clock,
        };
        Ok(Self {
            clock,
            edge: Edge {
                connections: registry,
                mailbox: Watched { mailbox: store.clone(), following: watching.following.clone() },
                clock,
                hubs,
                message_queue: outbox,
                rate_limits: MemoryRates::default(),
                history: history.clone(),
                config: edge,
            },
            issuer: Issuer::new(cipher(), tokens, clock, issuer),
            authorizer: Authorizer::new(ports, authorizer),
            accounts: Accounts::new(store.table("users")),
            login,
            history,
            watching,
            jwt,
            credentials,
            store,
        })
    }

    /// A token for a user who has proved to be one.
    fn log_in(&self, user_id: UserId) -> Result<Login, AuthError> {
        let subject = JwtSubject { username: user_id.to_string(), user_id };
        let issued = self
            .jwt
            .issue(subject, self.clock.now())
            .map_err(|source| AuthError::Unavailable(source.into()))?;
        Ok(Login { id_token: issued.token, expires_at: issued.expires_at })
    }

    /// Does something with every dead letter, page by page.
    async fn with_all_dead_letters<F>(
        &self,
        mut act: impl FnMut(Vec<Sequence>) -> F,
    ) -> Result<usize, PortError>
    where
        F: Future<Output = Result<usize, StoreError>>,
    {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = self.store.dead_letters(after, DEAD_LETTERS_AT_ONCE).await.map_err(port_error)?;
            let ids: Vec<_> = page.letters.iter().map(|letter| letter.id).collect();
            after = ids.last().copied();
            if ids.is_empty() {
                return Ok(count);
            }
            count += act(ids).await.map_err(port_error)?;
            if !page.more {
                return Ok(count);
            }
        }
    }
}

impl Services for Runtime {
    async fn accept(&self, submissions: Vec<Submission>) -> Result<Vec<Accepted>, AcceptError> {
        self.store.accept(submissions).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn check_api_key(&self, key: &str) -> Result<(), AuthError> {
        if self.credentials.api_key.matches(key.as_bytes()) {
            Ok(())
        } else {
            Err(AuthError::Refused("the API key is not this server's".to_owned()))
        }
    }

    fn check_signature(&self, request: &request::Parts, body: &[u8]) -> Result<(), AuthError> {
        let parts = RequestParts::new(&request.method, &request.uri, &request.headers);
        let body_sha256 = Sha256::digest(body).into();
        sigv4::verify(&self.credentials.access_key, &parts, &body_sha256, self.clock.now())
            .map(drop)
            .map_err(|error| AuthError::Refused(error.to_string()))
    }

    async fn authorize(&self, handshake: &Handshake) -> Result<Principal, Refusal> {
        self.authorizer.authorize(handshake).await
    }

    async fn connect(
        &self,
        principal: &Principal,
        request: ConnectRequest,
    ) -> Result<Admission, ConnectError> {
        self.edge.connect(principal, request).await
    }

    async fn message(&self, principal: &Principal, request: MessageRequest<'_>) -> Option<ServerFrame> {
        self.edge.message(principal, request).await
    }

    async fn disconnect(
        &self,
        principal: &Principal,
        connection_id: &ConnectionId,
        opened_at: Timestamp,
    ) -> Result<(), PortError> {
        let key = ConnectionKey { user_id: principal.user_id.clone(), connection_id: connection_id.clone() };
        self.store.connection_closed(&key);
        self.edge.disconnect(principal, connection_id, opened_at).await
    }

    fn verify_user(&self, jwt: &str) -> Result<Subject, AuthError> {
        let verified = self.jwt.verify(jwt, self.clock.now());
        let VerifiedJwt { user_id, username, hubs, .. } =
            verified.map_err(|error| AuthError::Refused(format!("the ID token is refused: {error}")))?;
        Ok(Subject { user_id, username: username.unwrap_or_default(), hubs })
    }

    async fn issue_token(&self, subject: Subject) -> Result<IssuedToken, IssueError> {
        self.issuer.issue(subject).await
    }

    async fn login(&self, username: &str, password: &str) -> Result<Login, AuthError> {
        if let Some(user) = self.login.users.iter().find(|user| user.is(username, password)) {
            return self.log_in(user.username.clone());
        }
        let refused = || AuthError::Refused(LoginError::Refused.to_string());
        // No account has a password that breaks the rules.
        let password = Password::new(password.to_owned()).map_err(|_| refused())?;
        let account = self.accounts.verify(username, password).await.map_err(|error| match error {
            LoginError::Refused => refused(),
            LoginError::Undecided(source) => AuthError::Unavailable(source.into()),
        })?;
        self.log_in(account.user_id)
    }

    fn guest(&self) -> Result<Option<Guest>, AuthError> {
        if !self.login.guests {
            return Ok(None);
        }
        let name = format!("{GUEST}{}", hex::encode(rand::random::<[u8; 5]>()));
        let user_id = UserId::new(name).map_err(|source| AuthError::Unavailable(source.into()))?;
        Ok(Some(Guest { login: self.log_in(user_id.clone())?, user_id }))
    }

    async fn add_user(&self, NewUser { user_id, password }: NewUser) -> Result<Account, AddUserError> {
        let password = Password::new(password).map_err(|error| AddUserError::Invalid(error.to_string()))?;
        self.accounts.add(&user_id, password, self.clock.now()).await.map_err(|error| match error {
            AccountError::UserAlreadyExists { .. } => AddUserError::Exists,
            source => AddUserError::Unavailable(source.into()),
        })
    }

    async fn users(&self) -> Result<Vec<Account>, PortError> {
        self.accounts.list().await.map_err(|source| PortError::retryable("listing the users", source))
    }

    fn jwks(&self) -> String {
        // Strings only: nothing here can fail to serialize.
        serde_json::to_string(&self.jwt.jwks()).unwrap_or_default()
    }

    async fn dead_letters(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let after = after.map(str::parse).transpose();
        let after = after.map_err(|source| PortError::permanent("listing dead letters", source))?;
        let page = self.store.dead_letters(after, limit).await.map_err(port_error)?;
        Ok(page.letters.into_iter().map(|letter| dead_letter(letter, false)).collect())
    }

    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, PortError> {
        let Ok(id) = id.parse() else { return Ok(None) };
        let letter = self.store.dead_letter(id).await.map_err(port_error)?;
        Ok(letter.map(|letter| dead_letter(letter, true)))
    }

    async fn redrive(&self, which: Which) -> Result<usize, PortError> {
        let redrive = |ids: Vec<Sequence>| async move { Ok(self.store.redrive(&ids).await?.accepted.len()) };
        match which {
            Which::All => self.with_all_dead_letters(redrive).await,
            Which::One(id) => match id.parse() {
                Ok(id) => redrive(vec![id]).await.map_err(port_error),
                Err(_) => Ok(0),
            },
        }
    }

    async fn purge(&self, which: Which) -> Result<usize, PortError> {
        let purge = |ids: Vec<Sequence>| async move { self.store.purge(&ids).await };
        match which {
            Which::All => self.with_all_dead_letters(purge).await,
            Which::One(id) => match id.parse() {
                Ok(id) => purge(vec![id]).await.map_err(port_error),
                Err(_) => Ok(0),
            },
        }
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<Option<Page<Session>>, PortError> {
        let Some(history) = &self.history else { return Ok(None) };
        let found = history.sessions(user, page).await?;
        Ok(Some(Page::of_sessions(found.rows, found.more)))
    }

    async fn messages(
        &self,
        user: &UserId,
        page: &PageRequest<MessageKey>,
    ) -> Result<Option<Page<Message>>, PortError> {
        let Some(history) = &self.history else { return Ok(None) };
        let found = history.messages(user, page).await?;
        Ok(Some(Page::of_messages(found.rows, found.more)))
    }

    fn figures(&self, after: Option<Timestamp>) -> Option<Vec<Snapshot>> {
        self.watching.figures.as_ref().map(|figures| figures.since(after))
    }

    async fn mailbox(&self, user: &UserId, limit: usize) -> Result<MailboxView, PortError> {
        let (store, user) = (self.store.clone(), user.clone());
        reading(move || store.mailbox(&user, limit)).await
    }

    fn keeps_history(&self) -> bool {
        self.history.is_some()
    }

    async fn life(&self, user: &UserId, id: &NotificationId) -> Result<Life, PortError> {
        let history = match &self.history {
            Some(history) => Some(past_of(history, user, id).await?),
            None => None,
        };
        let (store, whose, which) = (self.store.clone(), user.clone(), id.clone());
        let kept = reading(move || store.find(&whose, &which)).await?;
        let dead = self.store.find_dead_letter(user, id).await.map_err(port_error)?;
        // Last: what leaves the queue meanwhile is told of here.
        let followed = self.watching.following.of(user, id);
        Ok(Life::of(user.clone(), id.clone(), Sources { kept, dead, history, followed }))
    }

    fn follow(&self, user: &UserId, id: &NotificationId) -> bool {
        self.watching.following.follow(user, id)
    }

    fn ready(&self) -> Result<(), String> {
        if self.store.is_ready() {
            Ok(())
        } else {
            Err("notifications can't be accepted: the disk is full or fails".to_owned())
        }
    }
}

/// Reads from the store where it may take a while.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, PortError> {
    const OPERATION: &str = "looking a user up";
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(|source| PortError::permanent(OPERATION, source))?;
    read.map_err(|source| PortError::retryable(OPERATION, source))
}

/// What the history says of a notification, in the user's newest entries.
async fn past_of(
    history: &StoredHistory<SystemClock>,
    user: &UserId,
    id: &NotificationId,
) -> Result<Search<Vec<Message>>, PortError> {
    let (mut found, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = history.messages(user, &PageRequest { before, limit: MAX_PAGE }).await?;
        let Some(last) = page.rows.last() else { break };
        before = Some(last.entry);
        pages += 1;
        let more = page.more;
        found.extend(page.rows.into_iter().filter(|row| row.notification_id == *id).map(Message::from));
        if !more {
            break;
        }
        if pages == HISTORY_PAGES {
            return Ok(Search { found: Some(found), complete: false });
        }
    }
    Ok(Search { found: Some(found), complete: true })
}

fn port_error(error: StoreError) -> PortError {
    PortError::retryable("using the dead letters", error)
}

fn dead_letter(letter: tidings_store::DeadLetter, whole: bool) -> DeadLetter {
    let tidings_store::DeadLetter { id, user_id, reason, at, notification, .. } = letter;
    DeadLetter {
        id: id.to_string(),
        user_id,
        notification_id: notification.as_ref().map(|notification| notification.id.clone()),
        reason,
        since: at,
        notification: notification.filter(|_| whole),
    }
}
