//! The connect token, from its issue to its single use.

use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_token::{
    Authorizer, AuthorizerConfig, Handshake, IssueError, IssuedToken, Issuer, IssuerConfig, Methods, Ports,
    Reason, Refusal, Subject, token_hash,
};
use auth_token::{InvalidClaims, MAX_CREDENTIAL_BYTES};
use contract_identity_v1::{AuthenticationMethod, Principal, TOKEN_LIFETIME};
use contract_notifications_v1::UserId;
use proptest::prelude::*;

use crate::support::{TestAuthorizer, TestCipher, TestClock, TestKeySets, TestSecrets, TestStore};

#[derive(Default, Clone)]
struct Fixture {
    cipher: TestCipher,
    store: TestStore,
    clock: TestClock,
}

impl Fixture {
    async fn issue(&self, issuer: &str, audience: &str) -> IssuedToken {
        self.issue_to(issuer, audience, "Jo").await.unwrap()
    }

    async fn issue_to(&self, issuer: &str, audience: &str, name: &str) -> Result<IssuedToken, IssueError> {
        let config = IssuerConfig::new(issuer, audience);
        let issuer = Issuer::new(self.cipher.clone(), self.store.clone(), self.clock.clone(), config);
        let user_id = UserId::new("jo").unwrap();
        let subject = Subject {
            user_id,
            username: name.to_owned(),
            hubs: vec!["h".to_owned()],
            credential_expires_at: None,
            source_key: None,
            source_token: None,
        };
        issuer.issue(subject).await
    }

    fn authorizer(&self) -> TestAuthorizer {
        let config = AuthorizerConfig {
            methods: Methods { open: true, ..Methods::default() },
            ..AuthorizerConfig::new("issuer", "gateway")
        };
        let ports = Ports {
            cipher: self.cipher.clone(),
            store: self.store.clone(),
            key_sets: TestKeySets::default(),
            secrets: TestSecrets::default(),
            clock: self.clock.clone(),
        };
        Authorizer::new(ports, config)
    }

    async fn present(&self, token: &str) -> Result<Principal, Refusal> {
        self.authorizer().authorize(&by_query("token", token)).await
    }
}

fn by_query(name: &str, value: &str) -> Handshake {
    Handshake::new(vec![(name.to_owned(), value.to_owned())], Vec::new())
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

#[tokio::test]
async fn token_connects_its_subject_once() {
    let fixture = Fixture::default();
    let IssuedToken { token, expires_at } = fixture.issue("issuer", "gateway").await;
    assert_eq!(u128::from(expires_at.millis()), TOKEN_LIFETIME.as_millis());
    let principal = fixture.present(&token).await.unwrap();
    assert_eq!(principal.user_id.as_str(), "jo");
    assert_eq!(principal.username.as_deref(), Some("Jo"));
    assert_eq!(principal.method, AuthenticationMethod::Token);
    assert_eq!(principal.hubs, ["h"]);
    assert_eq!(principal.expires_at, None);
    let second = fixture.present(&token).await.unwrap_err();
    assert_eq!(second.status().code(), 403);
    assert!(matches!(second.reason(), Reason::UnknownToken));
}

#[tokio::test]
async fn token_is_accepted_as_subprotocol() {
    let fixture = Fixture::default();
    let token = fixture.issue("issuer", "gateway").await.token;
    let headers = vec![("Sec-WebSocket-Protocol".to_owned(), format!("tidings.v1, token.{token}"))];
    assert!(fixture.authorizer().authorize(&Handshake::new(Vec::new(), headers)).await.is_ok());
}

/// Uses one token 1,000 times on 8 threads that start together.
#[test]
fn one_of_a_thousand_concurrent_uses_wins() {
    const THREADS: usize = 8;
    let fixture = Fixture::default();
    let token = run(fixture.issue("issuer", "gateway")).token;
    let barrier = Barrier::new(THREADS);
    let wins: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    run(async {
                        let tasks: Vec<_> = (0..1_000 / THREADS)
                            .map(|_| {
                                let (fixture, token) = (fixture.clone(), token.clone());
                                tokio::spawn(async move { fixture.present(&token).await })
                            })
                            .collect();
                        let mut wins = 0;
                        for task in tasks {
                            match task.await.unwrap() {
                                Ok(_) => wins += 1,
                                Err(refusal) => assert_eq!(refusal.status().code(), 403),
                            }
                        }
                        wins
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(wins, 1);
    assert_eq!(fixture.store.takes.load(Ordering::SeqCst), 1_000);
    assert_eq!(fixture.cipher.decryptions.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn token_expires_after_its_lifetime() {
    let fixture = Fixture::default();
    let (early, late) = (fixture.issue("issuer", "gateway").await, fixture.issue("issuer", "gateway").await);
    fixture.clock.advance(TOKEN_LIFETIME.saturating_sub(Duration::from_millis(1)));
    assert!(fixture.present(&early.token).await.is_ok());
    fixture.clock.advance(Duration::from_millis(1));
    let refusal = fixture.present(&late.token).await.unwrap_err();
    assert_eq!(refusal.status().code(), 403);
    assert!(matches!(refusal.reason(), Reason::Claims(InvalidClaims::Expired { by_millis: 0 })));
}

#[tokio::test]
async fn token_of_another_issuer_or_audience_is_refused() {
    let fixture = Fixture::default();
    for (issuer, audience) in [("issuer", "other"), ("other", "gateway")] {
        let token = fixture.issue(issuer, audience).await.token;
        let refusal = fixture.present(&token).await.unwrap_err();
        assert_eq!(refusal.status().code(), 403);
        // The cipher enforces the encryption context.
        assert!(matches!(refusal.reason(), Reason::Undecryptable));
    }
}

/// The claims are checked even if the cipher accepts the context.
#[tokio::test]
async fn claims_are_checked_beside_the_context() {
    use auth_token::ports::{EncryptionContext, TokenCipher as _, TokenStore as _};
    use base64::Engine as _;
    use contract_identity_v1::TokenRow;
    use contract_notifications_v1::Version1;

    let fixture = Fixture::default();
    let claims =
        br#"{"version":1,"iss":"issuer","aud":"x","sub":"u","username":"","iat":0,"exp":9,"jti":""}"#;
    let context = EncryptionContext::for_connect_tokens("issuer", "gateway");
    let ciphertext = fixture.cipher.encrypt(claims, &context).await.unwrap();
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(ciphertext);
    let row = TokenRow { version: Version1, token_hash: token_hash(&token), ttl: 1 };
    fixture.store.put(row).await.unwrap();
    let refusal = fixture.present(&token).await.unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Claims(InvalidClaims::Audience)), "{refusal:?}");
}

#[tokio::test]
async fn ciphertext_for_another_purpose_is_refused() {
    use auth_token::ports::{EncryptionContext, TokenCipher as _, TokenStore as _};
    use base64::Engine as _;
    use contract_identity_v1::TokenRow;
    use contract_notifications_v1::Version1;

    let fixture = Fixture::default();
    let context = [("purpose", "backup"), ("iss", "issuer"), ("aud", "gateway")].into_iter().collect();
    assert_ne!(context, EncryptionContext::for_connect_tokens("issuer", "gateway"));
    let ciphertext = fixture.cipher.encrypt(b"{}", &context).await.unwrap();
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(ciphertext);
    fixture.store.put(TokenRow { version: Version1, token_hash: token_hash(&token), ttl: 1 }).await.unwrap();
    let refusal = fixture.present(&token).await.unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Undecryptable), "{refusal:?}");
}

#[tokio::test]
async fn oversized_credential_reaches_no_port() {
    let fixture = Fixture::default();
    let refusal = fixture.present(&"A".repeat(MAX_CREDENTIAL_BYTES + 1)).await.unwrap_err();
    assert_eq!(refusal.status().code(), 403);
    assert_eq!(fixture.store.takes.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn largest_issued_token_is_accepted() {
    let fixture = Fixture::default();
    let token = fixture.issue_to("issuer", "gateway", &"n".repeat(1_800)).await.unwrap().token;
    assert!(token.len() <= MAX_CREDENTIAL_BYTES);
    assert!(fixture.present(&token).await.is_ok());
    let refused = fixture.issue_to("issuer", "gateway", &"n".repeat(2_048)).await;
    assert!(matches!(refused, Err(IssueError::TooLarge { .. })));
    assert!(fixture.store.rows.lock().unwrap().is_empty());
}

#[tokio::test]
async fn table_and_log_reveal_no_token() {
    let fixture = Fixture::default();
    let issued = fixture.issue("issuer", "gateway").await;
    let rows = format!("{:?}", fixture.store.rows.lock().unwrap());
    assert!(!rows.contains(&issued.token) && rows.contains(&token_hash(&issued.token)), "{rows}");
    // The hash is not a credential.
    assert_eq!(fixture.present(&token_hash(&issued.token)).await.unwrap_err().status().code(), 403);
    assert!(!format!("{issued:?}").contains(&issued.token));
    fixture.store.down.store(true, Ordering::SeqCst);
    let refusal = fixture.present(&issued.token).await.unwrap_err();
    assert!(!format!("{refusal:?} {refusal}").contains(&issued.token));
}

#[tokio::test]
async fn failed_port_is_500() {
    let fixture = Fixture::default();
    let token = fixture.issue("issuer", "gateway").await.token;
    fixture.store.down.store(true, Ordering::SeqCst);
    assert_eq!(fixture.present(&token).await.unwrap_err().status().code(), 500);
    fixture.store.down.store(false, Ordering::SeqCst);
    fixture.cipher.down.store(true, Ordering::SeqCst);
    let refusal = fixture.present(&token).await.unwrap_err();
    assert_eq!((refusal.status().code(), refusal.message()), (500, "Internal Server Error"));
}

#[tokio::test]
async fn missing_credential_is_401_illegal_client_id_403() {
    let authorizer = Fixture::default().authorizer();
    assert_eq!(authorizer.authorize(&Handshake::default()).await.unwrap_err().status().code(), 401);
    let principal = authorizer.authorize(&by_query("client_id", "jo")).await.unwrap();
    assert_eq!((principal.user_id.as_str(), principal.method), ("jo", AuthenticationMethod::Open));
    let illegal = authorizer.authorize(&by_query("client_id", "j\no")).await.unwrap_err();
    assert_eq!(illegal.status().code(), 403);
}

proptest! {
    /// An altered token is refused, and the original stays valid.
    #[test]
    fn altered_token_is_refused(cut in 0_usize..300, with in "[A-Za-z0-9_.=-]{0,3}") {
        let fixture = Fixture::default();
        run(async {
            let token = fixture.issue("issuer", "gateway").await.token;
            let altered = format!("{}{with}", &token[..cut.min(token.len())]);
            prop_assume!(altered != token);
            let refusal = fixture.present(&altered).await.unwrap_err();
            prop_assert_eq!(refusal.status().code(), if altered.is_empty() { 401 } else { 403 });
            prop_assert!(fixture.present(&token).await.is_ok());
            Ok(())
        })?;
    }
}
