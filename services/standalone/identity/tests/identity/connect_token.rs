//! Connect tokens with the cipher and the table of one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_token::{
    Adapters, Authorizer, AuthorizerConfig, Handshake, Issuer, IssuerConfig, Ports, Status, Subject,
};
use contract_notifications_v1::{Timestamp, UserId};
use shared_ports::Clock;
use tidings_identity::cipher::LocalCipher;
use tidings_identity::key_sets::HttpKeySets;
use tidings_identity::secrets::Key256;
use tidings_identity::shared_secrets::LocalSecrets;
use tidings_identity::tokens::{DEFAULT_CAPACITY, MemoryTokens};

/// A clock set by the test, in milliseconds.
#[derive(Clone, Default)]
struct TestClock(Arc<AtomicU64>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, _: Duration) {}
}

struct LocalAdapters;

impl Adapters for LocalAdapters {
    type Cipher = LocalCipher;
    type Store = MemoryTokens<TestClock>;
    type KeySets = HttpKeySets;
    type Secrets = LocalSecrets;
    type Clock = TestClock;
}

struct Server {
    clock: TestClock,
    issuer: Issuer<LocalCipher, MemoryTokens<TestClock>, TestClock>,
    authorizer: Authorizer<LocalAdapters>,
}

/// Starts a server with an empty table. Its key is always the same.
fn start(clock: &TestClock) -> Server {
    let cipher = LocalCipher::new(&Key256::from_bytes([7; 32]));
    let tokens = MemoryTokens::new(DEFAULT_CAPACITY, clock.clone());
    let (issuer, authorizer) = (IssuerConfig::new("i", "a"), AuthorizerConfig::new("i", "a"));
    let ports = Ports {
        cipher: cipher.clone(),
        store: tokens.clone(),
        key_sets: HttpKeySets::default(),
        secrets: LocalSecrets,
        clock: clock.clone(),
    };
    Server {
        clock: clock.clone(),
        issuer: Issuer::new(cipher, tokens, clock.clone(), issuer),
        authorizer: Authorizer::new(ports, authorizer),
    }
}

impl Server {
    async fn issue(&self) -> Handshake {
        let user_id = UserId::new("zoe").unwrap();
        let subject = Subject {
            user_id,
            username: "Zoë".to_owned(),
            hubs: vec!["lobby".to_owned()],
            credential_expires_at: None,
            source_key: None,
            source_token: None,
        };
        let token = self.issuer.issue(subject).await.unwrap().token;
        Handshake { query: vec![("token".to_owned(), token)], ..Handshake::default() }
    }

    async fn connect(&self, handshake: &Handshake) -> Result<String, Status> {
        let verdict = self.authorizer.authorize(handshake).await;
        verdict.map(|principal| principal.user_id.to_string()).map_err(|refusal| refusal.status())
    }
}

#[tokio::test]
async fn token_connects_once_within_its_lifetime() {
    let server = start(&TestClock::default());
    let (first, second) = (server.issue().await, server.issue().await);
    assert_eq!(server.connect(&first).await, Ok("zoe".to_owned()));
    assert_eq!(server.connect(&first).await, Err(Status::Forbidden));
    server.clock.0.store(30_000, Ordering::SeqCst);
    assert_eq!(server.connect(&second).await, Err(Status::Forbidden));
}

#[tokio::test]
async fn restart_invalidates_outstanding_tokens() {
    let clock = TestClock::default();
    let outstanding = start(&clock).issue().await;
    let restarted = start(&clock);
    assert_eq!(restarted.connect(&outstanding).await, Err(Status::Forbidden));
    assert_eq!(restarted.connect(&restarted.issue().await).await, Ok("zoe".to_owned()));
}
