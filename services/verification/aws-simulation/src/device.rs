//! Devices: clients that fetch a token, connect, read, acknowledge, and leave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_token::ports::{
    DecryptError, EncryptionContext, KeySets, SecretVersions, Secrets, TokenCipher, TokenStore,
};
use auth_token::{Adapters, Authorizer, AuthorizerConfig, Handshake, Issuer, IssuerConfig, Ports, Subject};
use contract_connections_v1::FrameFormat;
use contract_deployment_v1::{AUTH_TOKEN_AUTHORIZER, WS_EDGE};
use contract_frames_v1::{Broadcast, ClientFrame, ServerFrame};
use contract_identity_v1::{Principal, TokenRow};
use contract_notifications_v1::{NotificationId, Sequence, Timestamp};
use shared_ports::PortError;
use shared_sync::IgnorePoison as _;
use tokio::time::{Instant, sleep, sleep_until};
use ws_edge::ports::NoHistory;
use ws_edge::{
    ClientInfo, ClientMessagePolicy, ConnectRequest, Disabled, Edge, EdgeConfig, Inbound, MessageRequest,
};

use crate::frames::items;
use crate::gateway::{Socket, SocketState, connection_id};
use crate::lambda::invoke;
use crate::log::EventKind;
use crate::mutant::Mutant;
use crate::plan::DevicePlan;
use crate::ports::Aws;
use crate::world::{SimClock, World, hub, user_id};

/// Sequences in one ack: as many as our own client puts there.
const ACK_BATCH: usize = 25;
/// Attempts to send a message to the hub.
const ATTEMPTS_TO_SEND: u32 = 1_000;
type SimEdge = Edge<EdgeAws>;

/// The adapters of the edge.
#[derive(Debug)]
enum EdgeAws {}

impl ws_edge::ports::Ports for EdgeAws {
    type Connections = Aws;
    type Mailbox = Aws;
    type Clock = SimClock;
    type Hubs = Aws;
    type MessageQueue = Aws;
    type RateLimits = Disabled;
    type History = NoHistory;
}

/// The functions that the WebSocket API invokes, and the issuer.
#[derive(Debug)]
pub(crate) struct Api {
    user: usize,
    edge: SimEdge,
    authorizer: Authorizer<AuthAws>,
    issuer: Issuer<ForUser, ForUser, SimClock>,
}

/// The adapters of an authorizer for one user's handshakes.
#[derive(Debug)]
enum AuthAws {}

impl Adapters for AuthAws {
    type Cipher = ForUser;
    type Store = ForUser;
    type KeySets = NoKeys;
    type Secrets = NoKeys;
    type Clock = SimClock;
}

/// KMS and the tokens table, as one user's handshakes find them.
#[derive(Debug, Clone)]
struct ForUser {
    world: Arc<World>,
    user: usize,
    tokens: Arc<Mutex<BTreeMap<String, TokenRow>>>,
}

/// KMS throttles requests beyond its quota
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/throttling.html>).
impl TokenCipher for ForUser {
    async fn encrypt(&self, plaintext: &[u8], _: &EncryptionContext) -> Result<Vec<u8>, PortError> {
        self.world.call(self.user, "encrypting", || plaintext.to_vec()).await
    }

    async fn decrypt(&self, ciphertext: &[u8], _: &EncryptionContext) -> Result<Vec<u8>, DecryptError> {
        Ok(self.world.call(self.user, "decrypting", || ciphertext.to_vec()).await?)
    }
}

impl ForUser {
    fn rows(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, TokenRow>> {
        self.tokens.lock().ignore_poison()
    }
}

impl TokenStore for ForUser {
    async fn put(&self, row: TokenRow) -> Result<(), PortError> {
        let put = || drop(self.rows().insert(row.token_hash.clone(), row.clone()));
        self.world.call(self.user, "storing a token", put).await
    }

    async fn take(&self, token_hash: &str) -> Result<Option<TokenRow>, PortError> {
        self.world.call(self.user, "taking a token", || self.rows().remove(token_hash)).await
    }

    async fn claim(&self, row: TokenRow) -> Result<bool, PortError> {
        let claim = || self.rows().insert(row.token_hash.clone(), row.clone()).is_none();
        self.world.call(self.user, "claiming a signature", claim).await
    }
}

/// No plan uses keys of issuers or shared secrets.
#[derive(Debug)]
struct NoKeys;

impl KeySets for NoKeys {
    async fn fetch(&self, _: &str) -> Result<Vec<u8>, PortError> {
        Err(PortError::permanent("fetching keys", "there are none"))
    }
}

impl Secrets for NoKeys {
    async fn read(&self, _: &str) -> Result<SecretVersions, PortError> {
        Err(PortError::permanent("reading a secret", "there is none"))
    }
}

impl Api {
    /// Makes the functions, as one user finds them.
    pub(crate) fn new(world: &Arc<World>, user: usize) -> Self {
        let aws = || Aws(Arc::clone(world));
        let clock = || SimClock(Arc::clone(world));
        let auth = ForUser { world: Arc::clone(world), user, tokens: Arc::default() };
        let mut config = EdgeConfig { max_handshake: Some(ws_edge::MAX_HANDSHAKE), ..EdgeConfig::default() };
        if world.has(Mutant::HandshakeWithoutLimit) {
            config.max_handshake = None;
        }
        if let Some(hub) = &world.plan.hub {
            config.client_messages = ClientMessagePolicy::SameHub;
            config.presence = hub.presence;
        }
        let edge = Edge {
            connections: aws(),
            mailbox: aws(),
            clock: clock(),
            hubs: aws(),
            message_queue: aws(),
            rate_limits: Disabled,
            history: NoHistory,
            config,
        };
        let ports = Ports {
            cipher: auth.clone(),
            store: auth.clone(),
            key_sets: NoKeys,
            secrets: NoKeys,
            clock: clock(),
        };
        Self {
            user,
            edge,
            authorizer: Authorizer::new(ports, AuthorizerConfig::new("tidings", "tidings")),
            issuer: Issuer::new(auth.clone(), auth, clock(), IssuerConfig::new("tidings", "tidings")),
        }
    }

    /// Fetches a token and has it authorized, as the first half of a handshake.
    async fn authorize(&self, world: &World, user: usize) -> Option<Principal> {
        let is_member = world.plan.hub.is_some() && !world.plan.users[user].stays_out;
        let subject = Subject {
            user_id: user_id(user),
            username: String::new(),
            hubs: is_member.then(|| hub().to_string()).into_iter().collect(),
            credential_expires_at: None,
            source_key: None,
            source_token: None,
        };
        let token = self.issuer.issue(subject).await.ok()?.token;
        let handshake = Handshake::new(vec![("token".to_owned(), token)], Vec::new());
        let _permit = world.begin()?;
        let function = world.function(AUTH_TOKEN_AUTHORIZER.timeout_seconds);
        let authorize = || self.authorizer.authorize(&handshake);
        invoke(function, &world.random, world.faults(), authorize).await.ok()?.ok()
    }

    /// Makes a handshake and returns true if the connection is open.
    async fn connect(&self, world: &World, connection: u32, principal: &Principal, plan: DevicePlan) -> bool {
        let format = match plan.format {
            FrameFormat::Single => "single",
            FrameFormat::Batch => "batch",
            FrameFormat::Raw => "raw",
        };
        let query = [("format", format.to_owned()), ("acknowledge", plan.acknowledges.to_string())];
        let request = ConnectRequest {
            connection_id: connection_id(connection),
            query: query.map(|(name, value)| (name.to_owned(), value)).into(),
            subprotocols: Vec::new(),
            opened_at: world.time_at(Instant::now()),
            client: ClientInfo::default(),
            guest_of: None,
        };
        let Some(_permit) = world.begin() else { return false };
        let function = world.function(WS_EDGE.timeout_seconds);
        let connect = || self.edge.connect(principal, request);
        let admitted = invoke(function, &world.random, world.faults(), connect).await;
        // The answer is on its way.
        sleep(world.random.millis(1, 50)).await;
        matches!(admitted, Ok(Ok(_))) && world.open(connection, plan.acknowledges)
    }

    /// Sends a frame of acknowledgements and returns true if it was answered.
    async fn acknowledge(&self, world: &World, connection: u32, principal: &Principal, text: &str) -> bool {
        let Some(_permit) = world.begin() else { return false };
        let id = connection_id(connection);
        let frame = Inbound::Text(text);
        let request = MessageRequest { connection_id: &id, request_id: "", frame, guest_of: None };
        let function = world.function(WS_EDGE.timeout_seconds);
        let answer = || self.edge.message(principal, request);
        let answer = invoke(function, &world.random, world.faults(), answer).await;
        matches!(answer, Ok(Some(ServerFrame::AckOk { .. })))
    }

    async fn disconnect(&self, world: &World, connection: u32, principal: &Principal) {
        let Some(_permit) = world.begin() else { return };
        let id = connection_id(connection);
        let function = world.function(WS_EDGE.timeout_seconds);
        let disconnect = || self.edge.disconnect(principal, &id, Timestamp::from_millis(0));
        let left = invoke(function, &world.random, world.faults(), disconnect).await;
        if matches!(left, Ok(Ok(()))) {
            world.log(self.user, EventKind::Left { connection });
        }
    }

    /// Sends a message to the hub and returns true if it was accepted.
    async fn send(&self, world: &World, connection: u32, principal: &Principal, number: u32) -> bool {
        let Some(_permit) = world.begin() else { return false };
        let message = Broadcast {
            id: None,
            idempotency_key: NotificationId::new(format!("h{number}")).ok(),
            message: number.to_string().into(),
            hub: Some(hub()),
        };
        let text = ClientFrame::Broadcast(message).to_json();
        let (id, frame) = (connection_id(connection), Inbound::Text(&text));
        let request = MessageRequest { connection_id: &id, request_id: "", frame, guest_of: None };
        let function = world.function(WS_EDGE.timeout_seconds);
        let answer = || self.edge.message(principal, request);
        let answer = invoke(function, &world.random, world.faults(), answer).await;
        matches!(answer, Ok(Some(ServerFrame::Sent { results, .. })) if results.iter().all(|result| result.accepted))
    }
}

/// Sends a message to the hub over a connection of its sender, again until it is accepted, or for some minutes.
pub(crate) async fn send_to_hub(world: Arc<World>, user: usize, number: u32) {
    let api = Api::new(&world, user);
    for _ in 0..ATTEMPTS_TO_SEND {
        sleep(world.random.millis(10, 500)).await;
        let connection = {
            let sockets = world.gateway.sockets();
            let is_open = |socket: &Socket| socket.user == user && socket.state == SocketState::Open;
            (0..).zip(&*sockets).find(|(_, socket)| is_open(socket)).map(|(number, _)| number)
        };
        let Some(connection) = connection else { continue };
        let Some(principal) = api.authorize(&world, user).await else { continue };
        if api.send(&world, connection, &principal, number).await {
            world.log(user, EventKind::Sent { number });
            return;
        }
    }
}

/// Runs a device to the end of the simulation. A stable one reads and acknowledges everything.
pub(crate) async fn run_device(world: Arc<World>, user: usize, plan: DevicePlan, is_stable: bool) {
    let api = Arc::new(Api::new(&world, user));
    sleep(Duration::from_millis(plan.connects_at)).await;
    loop {
        sleep(world.random.millis(1, 300)).await;
        let Some(principal) = api.authorize(&world, user).await else { continue };
        let connection = world.gateway.begin(user, plan.format);
        world.log(user, EventKind::Connecting { connection });
        if !api.connect(&world, connection, &principal, plan).await {
            world.close(connection);
            continue;
        }
        let device = Device { world: &world, api: &api, user, connection, plan, is_stable };
        tokio::select! {
            biased;
            () = device.use_connection(&principal) => {}
            () = world.limits_of(connection) => {}
        }
        end(&world, &api, connection, principal);
        if !is_stable {
            sleep(world.random.millis(100, 10_000)).await;
        }
    }
}

/// Ends a connection; `$disconnect` follows, late or never.
fn end(world: &Arc<World>, api: &Arc<Api>, connection: u32, principal: Principal) {
    let is_half_open = world.gateway.sockets()[connection as usize].is_half_open;
    let (world, api) = (Arc::clone(world), Arc::clone(api));
    tokio::spawn(async move {
        if is_half_open {
            sleep(world.random.millis(1_000, 60_000)).await;
        }
        world.close(connection);
        if !world.random.chance(250) {
            sleep(world.random.millis(5, 15_000)).await;
            api.disconnect(&world, connection, &principal).await;
        }
    });
}

struct Device<'a> {
    world: &'a Arc<World>,
    api: &'a Arc<Api>,
    user: usize,
    connection: u32,
    plan: DevicePlan,
    is_stable: bool,
}

impl Device<'_> {
    async fn use_connection(&self, principal: &Principal) {
        let random = &self.world.random;
        let trouble = self.world.plan.users[self.user].trouble;
        let mut leaves = !self.is_stable && trouble.comes_and_goes;
        let stay = random.millis(10, 20_000);
        let ends = Instant::now() + stay;
        let mut unacknowledged: Vec<Sequence> = Vec::new();
        let ack_after = random.millis(0, 1_000);
        let mut ack_at: Option<Instant> = None;
        if let Some(pause) = trouble.stops_reading.filter(|_| !self.is_stable) {
            let pause = if leaves { pause.min(stay) } else { pause };
            self.world.log(self.user, EventKind::Fault("the client stops reading"));
            tokio::select! {
                biased;
                () = sleep(pause) => {}
                () = self.until_faults_end() => {}
            }
        }
        loop {
            tokio::select! {
                biased;
                () = sleep_until(ends), if leaves => {
                    // After the faults it stays.
                    leaves = self.world.faults();
                    if leaves {
                        break;
                    }
                }
                () = sleep_until(ack_at.unwrap_or(ends)), if ack_at.is_some() => {
                    ack_at = None;
                    for sequences in std::mem::take(&mut unacknowledged).chunks(ACK_BATCH) {
                        let text = ClientFrame::Ack { sequences: sequences.to_vec() }.to_json();
                        let (world, api) = (Arc::clone(self.world), Arc::clone(self.api));
                        let (connection, principal) = (self.connection, principal.clone());
                        tokio::spawn(async move {
                            // As our clients do, until it is answered.
                            while !api.acknowledge(&world, connection, &principal, &text).await {
                                sleep(world.random.millis(500, 5_000)).await;
                            }
                        });
                    }
                }
                frame = self.world.read(self.connection) => {
                    let Some(text) = frame else { return };
                    let items = items(self.plan.format, &text);
                    let numbers = items.iter().map(|(number, _)| *number).collect();
                    self.world.log(self.user, EventKind::Arrived { connection: self.connection, numbers });
                    if self.plan.acknowledges {
                        unacknowledged.extend(items.into_iter().filter_map(|(_, sequence)| sequence));
                        ack_at = ack_at.or(Some(Instant::now() + ack_after));
                    }
                }
            }
        }
        // A device that does not acknowledge would lose what a half-open connection takes.
        if self.plan.acknowledges && random.chance(300) {
            self.world.gateway.sockets()[self.connection as usize].is_half_open = true;
        }
    }

    async fn until_faults_end(&self) {
        while self.world.faults() {
            sleep(Duration::from_secs(1)).await;
        }
    }
}
