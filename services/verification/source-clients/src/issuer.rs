//! An issuer of JSON Web Tokens that publishes its keys like Cognito.

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};

use crate::jwt::signed;

/// An RSA key of 2048 bits for these tests only, made with `openssl genpkey -algorithm RSA -outform DER`.
const KEY: &[u8] = include_bytes!("../fixtures/rsa.der");
const KEY_ID: &str = "for-tests";

/// An issuer with RS256. Its keys stay published until the process ends.
#[derive(Debug)]
pub struct Issuer {
    key: RsaKeyPair,
    /// URL of its key set.
    pub jwks_url: String,
}

impl Issuer {
    /// Starts an issuer that publishes its keys on a local port.
    pub fn start() -> Self {
        let key = RsaKeyPair::from_der(KEY).unwrap();
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(key.public());
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        let jwk = json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": n, "e": e });
        let key_set = json!({ "keys": [jwk] }).to_string();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let jwks_url = format!("http://{}/.well-known/jwks.json", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        // On a thread of its own, because the runtime of a test ends with the test.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let router =
                    Router::new().route("/.well-known/jwks.json", get(async move || key_set.clone()));
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { key, jwks_url }
    }

    /// Signs a token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        signed(&json!({ "alg": "RS256", "typ": "JWT", "kid": KEY_ID }), claims, |text| {
            let mut signature = vec![0; self.key.public().modulus_len()];
            self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).unwrap();
            signature
        })
    }
}
