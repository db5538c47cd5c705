//! Revoked users and credentials are refused by every method.

use std::sync::atomic::Ordering;

use auth_token::ports::Revocation;
use auth_token::{Issuer, IssuerConfig, Reason, Revoked, Subject};
use contract_notifications_v1::{Timestamp, UserId};
use serde_json::{Value, json};

use crate::support::TestPorts;
use crate::support::gateway::{
    Client, ED, Gateway, NOW, claims_with, client, good_jwt, sign_ed, signed_client,
};

const fn seconds(at: u64) -> Timestamp {
    Timestamp::from_millis(at * 1_000)
}

fn revoke(gateway: &Gateway, of_users: Revocation, tokens: &[&str]) {
    let tokens = tokens.iter().map(|id| (*id).to_owned()).collect();
    *gateway.ports.store.revoked.lock().unwrap() = (of_users, tokens);
}

fn by_jwt(claims: &Value) -> Client {
    client().query("access_token", sign_ed(&json!({"alg": "EdDSA", "kid": "k1"}), claims))
}

#[tokio::test]
async fn blocked_user_is_refused_by_every_method_until_the_end() {
    let gateway = Gateway::new();
    revoke(&gateway, Revocation { blocked_until: Some(seconds(NOW + 60)), ..Revocation::default() }, &[]);
    let token = gateway.connect_token("issuer", "gateway").await;
    let jwt = || client().query("access_token", good_jwt());
    for refused in [jwt(), signed_client(), client().query("token", token)] {
        assert_eq!(gateway.refusal(refused).await, (403, "blocked"));
    }
    assert!(matches!(
        gateway.authorizer.verify_jwt(&good_jwt()).await,
        Err(Reason::Revoked(Revoked::Blocked))
    ));
    gateway.ports.clock.set(NOW + 60);
    assert_eq!(gateway.user(jwt()).await, "zoe");
}

#[tokio::test]
async fn sign_out_refuses_older_credentials_and_those_without_a_time() {
    let gateway = Gateway::new();
    revoke(&gateway, Revocation { issued_before: Some(seconds(NOW)), ..Revocation::default() }, &[]);
    for (claims, expected) in [
        (claims_with(ED, "iat", json!(NOW - 1)), Some((403, "signed-out"))),
        (claims_with(ED, "jti", json!("without a time")), Some((403, "signed-out"))),
        (claims_with(ED, "iat", json!(NOW)), None),
    ] {
        match expected {
            Some(expected) => assert_eq!(gateway.refusal(by_jwt(&claims)).await, expected, "{claims}"),
            None => assert_eq!(gateway.user(by_jwt(&claims)).await, "zoe"),
        }
    }
    // Signed headers are as new as the handshake, and so is a connect token of now.
    assert_eq!(gateway.user(signed_client()).await, "zoe");
    let token = gateway.connect_token("issuer", "gateway").await;
    assert_eq!(gateway.user(client().query("token", token)).await, "zoe");
}

/// With such a time a token would outlive every sign-out until then.
#[tokio::test]
async fn token_from_the_future_is_refused() {
    let gateway = Gateway::new();
    let issued_at = |at: u64| by_jwt(&claims_with(ED, "iat", json!(at)));
    assert_eq!(gateway.user(issued_at(NOW + 5)).await, "zoe");
    for at in [NOW + 3_600, u64::MAX] {
        assert_eq!(gateway.refusal(issued_at(at)).await, (403, "jwt-issued-ahead"));
    }
}

#[tokio::test]
async fn token_is_refused_by_its_id() {
    let gateway = Gateway::new();
    revoke(&gateway, Revocation::default(), &["lost"]);
    let with_id = |id: &str| by_jwt(&claims_with(ED, "jti", json!(id)));
    assert_eq!(gateway.refusal(with_id("lost")).await, (403, "revoked-token"));
    assert_eq!(gateway.user(with_id("other")).await, "zoe");
}

#[tokio::test]
async fn unreadable_revocations_let_nobody_in() {
    let gateway = Gateway::new();
    gateway.ports.store.revocations_down.store(true, Ordering::SeqCst);
    assert_eq!(gateway.refusal(client().query("access_token", good_jwt())).await, (500, "unavailable"));
}

/// Issues a connect token to zoe, who has asked for it with a JSON Web Token.
async fn connect_token(gateway: &Gateway, jwt_expires_at: u64, jwt_id: &str) -> String {
    let TestPorts { cipher, store, clock, .. } = gateway.ports.clone();
    let issuer = Issuer::new(cipher, store, clock, IssuerConfig::new("issuer", "gateway"));
    let subject = Subject {
        user_id: UserId::new("zoe").unwrap(),
        username: String::new(),
        hubs: Vec::new(),
        credential_expires_at: Some(seconds(jwt_expires_at)),
        source_key: None,
        source_token: Some(jwt_id.to_owned()),
    };
    issuer.issue(subject).await.unwrap().token
}

#[tokio::test]
async fn connection_by_connect_token_ends_with_the_credential_that_asked() {
    let gateway = Gateway::new();
    let token = connect_token(&gateway, NOW + 900, "kept").await;
    let principal = gateway.try_with(client().query("token", token)).await.unwrap();
    assert_eq!(principal.expires_at, Some(seconds(NOW + 900)));
    assert_eq!(principal.source_token.as_deref(), Some("kept"));
}

#[tokio::test]
async fn unused_connect_token_is_refused_with_the_token_that_asked() {
    let gateway = Gateway::new();
    let token = connect_token(&gateway, NOW + 900, "lost").await;
    revoke(&gateway, Revocation::default(), &["lost"]);
    assert_eq!(gateway.refusal(client().query("token", token)).await, (403, "revoked-token"));
}
