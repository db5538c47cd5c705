//! A gateway that accepts every kind of credential, and clients with credentials for it.

use std::collections::HashMap;

use auth_token::{
    Authorizer, AuthorizerConfig, Handshake, HmacConfig, Issuer, IssuerConfig, JwtConfig, JwtIssuerConfig,
    Methods, Reason, Refusal, Subject,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract_identity_v1::Principal;
use contract_notifications_v1::UserId;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{TestAuthorizer, TestCipher, TestClock, TestKeySets, TestPorts, TestSecrets, TestStore};

/// 2026-03-01T12:00:00Z: the clock's time, for which all tokens are made.
pub(crate) const NOW: u64 = 1_772_366_400;
/// The same time, as clients sign it.
pub(crate) const DATE_TIME: &str = "2026-03-01T12:00:00.000Z";

/// The issuer with a key made by these tests.
pub(crate) const ED: &str = "https://ed.example";
/// The issuer with a shared secret.
pub(crate) const HS: &str = "https://hs.example";
pub(crate) const HS_SECRET: &[u8] = b"a shared secret of at least 32 bytes";
pub(crate) const HMAC_SECRET: &[u8] = b"another secret of at least 32 bytes";
/// Origin of the web pages that may connect.
pub(crate) const ORIGIN: &str = "https://app.example.com";

/// An issuer of `fixtures/jwt/attacks.json`.
#[derive(Deserialize)]
pub(crate) struct Signed {
    pub(crate) issuer: String,
    pub(crate) algorithm: String,
    pub(crate) jwk: Value,
    pub(crate) pem: String,
    pub(crate) der: String,
    pub(crate) tokens: HashMap<String, String>,
}

pub(crate) fn signed() -> Vec<Signed> {
    serde_json::from_str(include_str!("../../fixtures/jwt/attacks.json")).unwrap()
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

pub(crate) fn ed_jwk(kid: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key().public_key());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid})
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// Signs any header and claims with the key of [`ED`].
pub(crate) fn sign_ed(header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let signature = URL_SAFE_NO_PAD.encode(key().sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Signs any header and claims with a shared secret.
pub(crate) fn sign_hs(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = unsigned(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Valid claims of an issuer for zoe.
pub(crate) fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "aud": "tidings", "sub": "zoe", "exp": NOW + 3600})
}

pub(crate) fn claims_with(issuer: &str, key: &str, value: Value) -> Value {
    let mut claims = claims(issuer);
    claims[key] = value;
    claims
}

/// A valid token of [`ED`] for zoe.
pub(crate) fn good_jwt() -> String {
    sign_ed(&json!({"alg": "EdDSA", "kid": "k1"}), &claims(ED))
}

/// The signature of signed headers, made in the same way as by the source system's Python client.
pub(crate) fn sign(session: &str, date_time: &str, secret: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hex::encode(hmac::sign(&key, format!("{session}:{date_time}").as_bytes()))
}

/// A client with the parts of its handshake.
#[derive(Default, Clone)]
pub(crate) struct Client {
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn signed(self, session: &str, date_time: &str, signature: &str) -> Self {
        let client = self.header("X-Session", session).header("X-Date-Time", date_time);
        client.header("X-Signature", signature)
    }

    pub(crate) fn handshake(self) -> Handshake {
        Handshake::new(self.query, self.headers)
    }
}

pub(crate) fn client() -> Client {
    Client::default()
}

/// A client with zoe's headers, signed now.
pub(crate) fn signed_client() -> Client {
    client().signed("zoe", DATE_TIME, &sign("zoe", DATE_TIME, HMAC_SECRET))
}

pub(crate) fn ports() -> TestPorts {
    let (key_sets, secrets, clock) = (TestKeySets::default(), TestSecrets::default(), TestClock::default());
    let mut documents = key_sets.documents.lock().unwrap();
    let url = |issuer: &str| format!("{issuer}/.well-known/jwks.json");
    for Signed { issuer, jwk, .. } in signed() {
        documents.insert(url(&issuer), json!({"keys": [jwk]}).to_string());
    }
    documents.insert(url(ED), json!({"keys": [ed_jwk("k1")]}).to_string());
    drop(documents);
    secrets.set("hs", &[HS_SECRET]);
    secrets.set("hmac", &[HMAC_SECRET]);
    clock.set(NOW);
    TestPorts { cipher: TestCipher::default(), store: TestStore::default(), key_sets, secrets, clock }
}

/// All methods but `open`, all issuers trusted, web pages of [`ORIGIN`] allowed.
pub(crate) fn config() -> AuthorizerConfig {
    let issuer =
        |config: Value| serde_json::from_value::<JwtIssuerConfig>(config).unwrap().try_into().unwrap();
    let mut issuers = vec![
        issuer(json!({
            "issuer": ED, "algorithm": "EdDSA", "audiences": ["tidings"], "max_lifetime": "off",
        })),
        issuer(json!({"issuer": HS, "algorithm": "HS256", "secret": "hs", "audiences": ["tidings"]})),
        // The form of the chat application's tokens.
        issuer(json!({"algorithm": "HS256", "secret": "hs"})),
    ];
    for Signed { issuer: name, algorithm, .. } in signed() {
        issuers.push(issuer(json!({"issuer": name, "algorithm": algorithm, "audiences": ["tidings"]})));
    }
    let config = AuthorizerConfig {
        methods: Methods { token: true, jwt: true, hmac: true, open: false },
        allowed_origins: vec![ORIGIN.to_owned()],
        // Tokens of all issuers are about zoe.
        jwt: JwtConfig { issuers, shared_user_ids: true, ..JwtConfig::default() },
        hmac: HmacConfig { secret: "hmac".to_owned(), ..HmacConfig::default() },
        ..AuthorizerConfig::new("issuer", "gateway")
    };
    config.validate().unwrap();
    config
}

/// An authorizer with its ports.
pub(crate) struct Gateway {
    pub(crate) ports: TestPorts,
    pub(crate) authorizer: TestAuthorizer,
}

impl Gateway {
    pub(crate) fn with(config: AuthorizerConfig) -> Self {
        let ports = ports();
        Self { authorizer: Authorizer::new(ports.clone(), config), ports }
    }

    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) async fn try_with(&self, client: Client) -> Result<Principal, Refusal> {
        self.authorizer.authorize(&client.handshake()).await
    }

    /// Connects a client and returns its user.
    pub(crate) async fn user(&self, client: Client) -> String {
        self.try_with(client).await.unwrap().user_id.to_string()
    }

    /// Refuses a client and returns status and reason. Checks that logs show no part of its handshake.
    pub(crate) async fn refusal(&self, client: Client) -> (u16, &'static str) {
        let secrets: Vec<String> =
            client.query.iter().chain(&client.headers).map(|(_, value)| value.clone()).collect();
        let handshake = client.handshake();
        let refusal = self.authorizer.authorize(&handshake).await.unwrap_err();
        let reason: &Reason = refusal.reason();
        let shown = format!("{refusal} {refusal:?} {reason} {handshake:?}");
        for secret in secrets.iter().filter(|secret| secret.len() > 8) {
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }
        (refusal.status().code(), reason.label())
    }

    /// Issues a connect token for zoe under the encryption context of this issuer and audience.
    pub(crate) async fn connect_token(&self, issuer: &str, audience: &str) -> String {
        let TestPorts { cipher, store, clock, .. } = self.ports.clone();
        let issuer = Issuer::new(cipher, store, clock, IssuerConfig::new(issuer, audience));
        let user_id = UserId::new("zoe").unwrap();
        let subject = Subject {
            user_id,
            username: String::new(),
            hubs: Vec::new(),
            credential_expires_at: None,
            source_key: None,
            source_token: None,
        };
        issuer.issue(subject).await.unwrap().token
    }
}
