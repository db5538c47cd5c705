//! The adapters behind the HTTP surface of one process: the services over the embedded store and the sockets.
//!
//! [`adapters`] makes them, one small struct for each port of the [server](crate::server::Ports). They share the
//! store, the registry of connections, and the server's secrets; none has a task of its own.

mod acceptance;
mod accounts;
mod callers;
mod client_edge;
mod dead_letters;
mod history;
mod inspection;
mod live_metrics;
mod readiness;
mod revocations;
mod tokens;

use std::sync::Arc;

use auth_token::{Authorizer, AuthorizerConfig, Issuer, IssuerConfig};
use shared_ports::{Clock as _, SystemClock};
use tidings_identity::accounts::{Accounts, LoginLimits};
use tidings_identity::cipher::LocalCipher;
use tidings_identity::credentials::Credentials;
use tidings_identity::jwt::{JwtIssueError, JwtIssuer};
use tidings_identity::key_sets::HttpKeySets;
use tidings_identity::keys::{KeyError, Keys, KeysConfig, Limits, StoredKeys};
use tidings_identity::revocations::{RevocationError, Revocations};
use tidings_identity::secrets::NoRandomness;
use tidings_identity::shared_secrets::LocalSecrets;
use tidings_identity::single_use::SingleUseTokens;
use tidings_identity::tokens::MemoryTokens;
use tidings_sockets::Registry;
use tidings_store::{StoreError, Table};
use ws_edge::{Edge, EdgeConfig};

use crate::live_metrics::LiveMetrics;
use crate::rates::MemoryRates;
use crate::server::{Adapters, LoginOffer, Ports};
use crate::tracking::{TrackedMailbox, Tracking};
use tidings_history::StoredHistory;
use tidings_hubs::{LocalMessageQueue, MemoryHubs};

pub use acceptance::StoreAcceptance;
use accounts::ForeignUserIds;
pub use accounts::UserAccounts;
pub use callers::ServerKeys;
pub use client_edge::LocalEdge;
pub use dead_letters::StoredDeadLetters;
pub use history::HistoryPages;
pub use inspection::StoreInspection;
pub use live_metrics::RecordedMetrics;
pub use readiness::StoreReadiness;
pub use revocations::StoredRevocations;
pub use tokens::ConnectTokens;

/// Configuration of the adapters.
pub struct RuntimeConfig {
    /// The edge's limits and policies.
    pub edge: EdgeConfig,
    /// Methods and rules of handshakes.
    pub authorizer: AuthorizerConfig,
    /// Names and lifetime of connect tokens.
    pub issuer: IssuerConfig,
    /// Logins that need no account.
    pub login: LoginOffer,
    /// Limits of logins with a password.
    pub logins: LoginLimits,
    /// Maximum number of connect tokens that are not used yet.
    pub max_unused_tokens: usize,
    /// Limits of keys that have none of their own.
    pub keys: Limits,
}

/// Sources of what operators watch.
#[derive(Debug, Clone)]
pub struct Watching {
    /// The live metrics; `None` if the process records no metrics.
    pub live_metrics: Option<LiveMetrics>,
    /// The tracked notifications.
    pub tracking: Tracking<SystemClock>,
}

/// The parts of the process that the adapters use.
pub struct Parts {
    /// The queue for messages between clients. It has the store.
    pub message_queue: LocalMessageQueue<SystemClock>,
    /// The open connections.
    pub registry: Registry,
    /// The members of the hubs.
    pub hubs: MemoryHubs,
    /// The history; `None` if none is kept.
    pub history: Option<StoredHistory<SystemClock>>,
    /// Sources of what operators watch.
    pub watching: Watching,
}

/// Errors of making the adapters.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The stored signing key is not valid.
    #[error(transparent)]
    SigningKey(#[from] JwtIssueError),
    /// An issuer could name the users with an account.
    #[error(
        "the key \"handshake.jwt_issuers\" is not valid: this server has accounts, and the issuer {issuer} has no \
         user_prefix, so it could name their users; give it one, such as \"login:\", or set handshake.shared_user_ids = true \
         if they are the same people"
    )]
    SharedUserIds {
        /// The `iss` of the issuer.
        issuer: String,
    },
    /// The store can't be read.
    #[error("the tables of keys and of used signatures can't be read")]
    Tables(#[from] StoreError),
    /// The keys can't be read.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The blocks and revocations can't be read.
    #[error(transparent)]
    Revocations(#[from] RevocationError),
    /// The key that seals others can't be derived.
    #[error(transparent)]
    SealingKey(#[from] NoRandomness),
}

/// The adapters of a real server.
pub enum RuntimePorts {}

impl Ports for RuntimePorts {
    type Acceptance = StoreAcceptance;
    type Callers = ServerKeys;
    type Keys = ServerKeys;
    type Revocations = StoredRevocations;
    type ClientEdge = LocalEdge;
    type Tokens = ConnectTokens;
    type Accounts = UserAccounts;
    type DeadLetters = StoredDeadLetters;
    type History = HistoryPages;
    type LiveMetrics = RecordedMetrics;
    type Inspection = StoreInspection;
    type Readiness = StoreReadiness;
    type Clock = SystemClock;
}

/// Makes the adapters of a real server.
///
/// # Errors
/// [`RuntimeError`] if the signing key or the used signatures can't be read.
pub fn adapters(
    config: RuntimeConfig,
    parts: Parts,
    credentials: Credentials,
) -> Result<Adapters<RuntimePorts>, RuntimeError> {
    let Parts { message_queue, registry, hubs, history, watching } = parts;
    let Watching { live_metrics, tracking } = watching;
    let store = message_queue.store.clone();
    let RuntimeConfig { edge, mut authorizer, issuer, login, logins, keys, max_unused_tokens } = config;
    let sealing_key = credentials.sealing_key()?;
    let Credentials { api_key, access_key, signing_seed, cipher_key } = credentials;
    let clock = SystemClock;
    let (records, key_uses) = (store.table("keys"), store.table("key-uses"));
    let values = |table: &Table<SystemClock>| -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(table.list()?.into_iter().map(|(_, value)| value).collect())
    };
    let stored = StoredKeys { keys: values(&records)?, uses: values(&key_uses)? };
    let keys = KeysConfig { api_key, access_key, sealing_key, defaults: keys };
    let keys = ServerKeys(Keys::open(records, key_uses, &stored, keys, clock.moment())?);
    let records = store.table("revocations");
    let stored = values(&records)?;
    let revocations = StoredRevocations(Revocations::open(records, &stored)?);
    let tokens = MemoryTokens::new(max_unused_tokens, clock);
    let cipher = || LocalCipher::new(&cipher_key);
    let jwt = Arc::new(JwtIssuer::new(&signing_seed, &issuer.issuer, &issuer.audience)?);
    let foreign = ForeignUserIds::of(&authorizer.jwt);
    let users = store.table("users");
    if let Some(issuer) = &foreign.issuer_without_prefix
        && !users.list()?.is_empty()
    {
        return Err(RuntimeError::SharedUserIds { issuer: issuer.clone() });
    }
    authorizer.jwt.issuers.push(jwt.trusted());
    let handshake_ports = auth_token::Ports {
        cipher: cipher(),
        store: SingleUseTokens::open(tokens.clone(), store.table("used-signatures"), clock)?
            .with_revocations(revocations.0.clone()),
        key_sets: HttpKeySets::default(),
        secrets: LocalSecrets,
        clock,
    };
    let edge = Edge {
        connections: registry,
        mailbox: TrackedMailbox { mailbox: store.clone(), tracking: tracking.clone() },
        clock,
        hubs,
        message_queue,
        rate_limits: MemoryRates::default(),
        history: history.clone(),
        config: edge,
    };
    let authorizer = Arc::new(Authorizer::new(handshake_ports, authorizer));
    Ok(Adapters {
        acceptance: StoreAcceptance(store.clone()),
        callers: keys.clone(),
        keys,
        revocations: revocations.clone(),
        client_edge: LocalEdge { authorizer: Arc::clone(&authorizer), edge, store: store.clone() },
        tokens: ConnectTokens {
            issuer: Issuer::new(cipher(), tokens.clone(), clock, issuer),
            authorizer,
            unused: tokens,
        },
        accounts: UserAccounts {
            accounts: Accounts::new(users, logins),
            offer: login,
            jwt,
            revocations: revocations.0,
            foreign,
        },
        dead_letters: StoredDeadLetters(store.clone()),
        history: HistoryPages(history.clone()),
        live_metrics: RecordedMetrics(live_metrics),
        inspection: StoreInspection { store: store.clone(), history, tracking },
        readiness: StoreReadiness(store),
        clock,
    })
}
