//! The credentials that each method accepts, and the caching of keys and secrets.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use auth_token::{AuthorizerConfig, HmacConfig, InvalidConfig, JwtConfig, JwtIssuerConfig, Methods};
use contract_identity_v1::AuthenticationMethod;
use serde_json::json;

use crate::support::gateway::*;

// ---- Places of a credential ----

#[tokio::test]
async fn jwt_is_found_in_every_place() {
    let gateway = Gateway::new();
    let token = good_jwt();
    let origin = || client().header("Origin", ORIGIN);
    for client in [
        client().query("access_token", &token),
        client().query("access_token", format!("Bearer {token}")),
        client().query("Authorization", &token),
        client().query("Authorization", format!("Bearer {token}")),
        client().query("token", &token),
        // The form of the chat application's client.
        client().query("token", format!("Bearer {token}")),
        client().header("Authorization", format!("Bearer {token}")),
        client().header("authorization", format!("bearer  {token}")),
        client().header("AUTHORIZATION", format!("BEARER {token}")),
        client().header("Sec-WebSocket-Protocol", format!("tidings.v1, jwt.{token}")),
        client().header("sec-websocket-protocol", format!("jwt.{token}")),
        origin().header("Cookie", format!("auth={token}")),
        origin().header("COOKIE", format!("theme=dark; id_token=\"{token}\"; x=y")),
        origin().header("cookie", format!("authToken={token}")),
        // The configured order of names decides, not the order in the header.
        origin().header("cookie", format!("authToken=opaque; auth={token}")),
    ] {
        let principal = gateway.try_with(client).await.unwrap();
        assert_eq!((principal.user_id.as_str(), principal.method), ("zoe", AuthenticationMethod::Jwt));
        assert_eq!(principal.expires_at.unwrap().millis(), (NOW + 3600) * 1000);
    }
    // Credentials of other schemes are ignored.
    let basic = client().header("Authorization", "Basic em9lOnBhc3M=");
    assert_eq!(gateway.refusal(basic).await, (401, "no-credential"));
}

#[tokio::test]
async fn signed_header_names_are_case_insensitive() {
    let gateway = Gateway::new();
    for (second, names) in [
        ["X-Session", "X-Date-Time", "X-Signature"],
        ["x-session", "x-date-time", "x-signature"],
        ["X-SESSION", "X-DATE-TIME", "X-SIGNATURE"],
        ["x-Session", "X-date-Time", "X-signaturE"],
    ]
    .into_iter()
    .enumerate()
    {
        let date_time = format!("2026-03-01T12:00:0{second}");
        let signature = sign("session-1", &date_time, HMAC_SECRET);
        let [session, time, sealed] = names;
        let client = client().header(session, "session-1").header(time, date_time).header(sealed, signature);
        let principal = gateway.try_with(client).await.unwrap();
        assert_eq!((principal.user_id.as_str(), principal.method), ("session-1", AuthenticationMethod::Hmac));
        assert_eq!(principal.expires_at, None);
    }
}

/// Signed by Python: `hmac.new(b"secret", b"s1:2026-03-01T12:00:00.000001", hashlib.sha256).hexdigest()`.
#[tokio::test]
async fn signature_made_by_python_is_accepted() {
    let gateway = Gateway::new();
    gateway.ports.secrets.set("hmac", &[b"secret"]);
    let signature = "4dc35eebb26716da5afb889928eca25596a3ee8bbc5bf69f66f3a7edafb2665a";
    assert_eq!(gateway.user(client().signed("s1", "2026-03-01T12:00:00.000001", signature)).await, "s1");
}

#[tokio::test]
async fn methods_are_tried_in_order() {
    let methods = Methods { token: true, jwt: true, hmac: true, open: true };
    let gateway = Gateway::with(AuthorizerConfig { methods, ..config() });
    let token = gateway.connect_token("issuer", "gateway").await;
    let open = client().query("client_id", "zoe");
    let method = async |client| gateway.try_with(client).await.unwrap().method;
    assert_eq!(method(open.clone()).await, AuthenticationMethod::Open);
    let with = |client: Client| client.signed("zoe", DATE_TIME, &sign("zoe", DATE_TIME, HMAC_SECRET));
    assert_eq!(method(with(open.clone())).await, AuthenticationMethod::Hmac);
    assert_eq!(method(with(open.clone()).query("access_token", good_jwt())).await, AuthenticationMethod::Jwt);
    // The parameter `token` can carry both kinds of token.
    let all = with(open).query("token", good_jwt()).query("token", token);
    assert_eq!(method(all).await, AuthenticationMethod::Token);
}

#[tokio::test]
async fn disabled_method_is_ignored() {
    let only = |methods| Gateway::with(AuthorizerConfig { methods, ..config() });
    let none = (401, "no-credential");
    let gateway = only(Methods { token: true, ..Methods::NONE });
    assert_eq!(gateway.refusal(client().query("access_token", good_jwt())).await, none);
    assert_eq!(gateway.refusal(signed_client()).await, none);
    assert_eq!(gateway.refusal(client().header("X-Session", "s")).await, none);
    assert_eq!(gateway.refusal(client().query("token", good_jwt())).await, (403, "encoding"));
    let gateway = only(Methods { jwt: true, ..Methods::NONE });
    assert_eq!(gateway.refusal(client().query("token", "AAAA")).await, none);
}

#[tokio::test]
async fn principal_has_the_content_of_the_claims() {
    let gateway = Gateway::new();
    let mut claims = claims(HS);
    claims["cognito:username"] = json!("Zoë");
    claims["hubs"] = json!(["lobby", "news"]);
    claims["cognito:groups"] = json!(["admins"]);
    let by = |claims| client().query("access_token", sign_hs(&json!({"alg": "HS256"}), claims, HS_SECRET));
    let principal = gateway.try_with(by(&claims)).await.unwrap();
    assert_eq!(principal.username.as_deref(), Some("Zoë"));
    assert_eq!(principal.hubs, ["lobby", "news"]);
    // The form of the chat application's tokens.
    let chat = json!({"user_id": "zoe", "username": "Zoë", "exp": NOW + 60});
    let principal = gateway.try_with(by(&chat)).await.unwrap();
    assert_eq!((principal.user_id.as_str(), principal.username.as_deref()), ("zoe", Some("Zoë")));
}

/// An authorizer's answer with all of it may have 8 KB at API Gateway.
#[tokio::test]
async fn claims_too_large_for_an_answer_are_refused() {
    let gateway = Gateway::new();
    let with = |hubs: usize| {
        let mut claims = claims(HS);
        claims["hubs"] = (0..hubs).map(|n| format!("h{n:05}")).collect();
        client().query("access_token", sign_hs(&json!({"alg": "HS256"}), &claims, HS_SECRET))
    };
    let principal = gateway.try_with(with(500)).await.unwrap();
    assert_eq!(principal.hubs.len(), 500);
    assert!(serde_json::to_string(&principal.to_context()).unwrap().len() < 6 * 1024);
    assert_eq!(gateway.refusal(with(600)).await, (403, "jwt-too-large"));
}

/// Sessions, subjects and names may be any text. Signatures are of the text as the client wrote it.
#[tokio::test]
async fn user_is_named_as_people_write() {
    let methods = Methods { open: true, ..config().methods };
    let gateway = Gateway::with(AuthorizerConfig { methods, ..config() });
    let by_claims =
        |claims| client().query("access_token", sign_hs(&json!({"alg": "HS256"}), &claims, HS_SECRET));
    for name in ["session 1", "José Pérez", "李雷"] {
        let chat = json!({"user_id": name, "exp": NOW + 60});
        for client in [
            client().signed(name, DATE_TIME, &sign(name, DATE_TIME, HMAC_SECRET)),
            client().query("client_id", name),
            client().query("session", name),
            by_claims(claims_with(HS, "sub", json!(name))),
            by_claims(chat),
        ] {
            assert_eq!(gateway.try_with(client).await.unwrap().user_id.as_written(), name);
        }
    }
    let illegal = "session\n1";
    let signed = client().signed(illegal, DATE_TIME, &sign(illegal, DATE_TIME, HMAC_SECRET));
    assert_eq!(gateway.refusal(signed).await, (403, "hmac-session"));
    assert_eq!(gateway.refusal(client().query("client_id", "u8:x")).await, (403, "client-id"));
}

#[tokio::test]
async fn client_id_precedes_session() {
    let methods = Methods { open: true, ..Methods::NONE };
    let gateway = Gateway::with(AuthorizerConfig { methods, ..config() });
    assert_eq!(gateway.user(client().query("session", "s").query("client_id", "c")).await, "c");
    assert_eq!(gateway.user(client().query("session", "s")).await, "s");
    let off = Gateway::new();
    assert_eq!(off.refusal(client().query("session", "s")).await, (401, "no-credential"));
}

#[tokio::test]
async fn token_without_exp_needs_the_issuers_permission() {
    let token = sign_hs(&json!({"alg": "HS256"}), &json!({"user_id": "zoe"}), HS_SECRET);
    let by_token = || client().query("access_token", &token);
    assert_eq!(Gateway::new().refusal(by_token()).await, (403, "jwt-form"));
    let issuer = json!({"algorithm": "HS256", "secret": "hs", "require_exp": false});
    let issuer = serde_json::from_value::<JwtIssuerConfig>(issuer).unwrap().try_into().unwrap();
    let jwt = JwtConfig { issuers: vec![issuer], ..JwtConfig::default() };
    let gateway = Gateway::with(AuthorizerConfig { jwt, ..config() });
    let principal = gateway.try_with(by_token()).await.unwrap();
    assert_eq!((principal.user_id.as_str(), principal.expires_at), ("zoe", None));
    // One that is there is still checked.
    let expired = sign_hs(&json!({"alg": "HS256"}), &json!({"user_id": "zoe", "exp": NOW - 60}), HS_SECRET);
    assert_eq!(gateway.refusal(client().query("access_token", expired)).await, (403, "jwt-expired"));
}

/// A connect token can be had for a JSON Web Token that no handshake accepts.
#[tokio::test]
async fn jwt_is_verified_while_the_method_is_off() {
    let methods = Methods { token: true, ..Methods::NONE };
    let gateway = Gateway::with(AuthorizerConfig { methods, ..config() });
    assert_eq!(gateway.authorizer.verify_jwt(&good_jwt()).await.unwrap().user_id.as_str(), "zoe");
    let reason = gateway.authorizer.verify_jwt("a.b.c").await.unwrap_err();
    assert_eq!(reason.label(), "jwt-form");
}

// ---- Key sets ----

fn url() -> String {
    format!("{ED}/.well-known/jwks.json")
}

fn by_kid(kid: &str) -> Client {
    client().query(
        "access_token",
        sign_ed(&json!({"alg": "EdDSA", "kid": kid}), &claims_with(ED, "exp", json!(NOW * 2))),
    )
}

fn publish(gateway: &Gateway, kids: &[&str]) {
    let keys: Vec<_> = kids.iter().map(|kid| ed_jwk(kid)).collect();
    let mut documents = gateway.ports.key_sets.documents.lock().unwrap();
    documents.insert(url(), json!({"keys": keys}).to_string());
}

#[tokio::test]
async fn key_set_is_cached_for_an_hour() {
    let gateway = Gateway::new();
    let fetches = || gateway.ports.key_sets.fetches.load(Ordering::SeqCst);
    assert_eq!(fetches(), 0);
    for after in [0, 1, 3599] {
        gateway.ports.clock.set(NOW + after);
        gateway.user(by_kid("k1")).await;
        assert_eq!(fetches(), 1);
    }
    gateway.ports.clock.set(NOW + 3600);
    gateway.user(by_kid("k1")).await;
    assert_eq!(fetches(), 2);
}

#[tokio::test]
async fn unknown_key_causes_one_fetch_a_minute() {
    let gateway = Gateway::new();
    let fetches = || gateway.ports.key_sets.fetches.load(Ordering::SeqCst);
    gateway.user(by_kid("k1")).await;
    publish(&gateway, &["k1", "k2"]);
    for after in [0, 30, 59] {
        gateway.ports.clock.set(NOW + after);
        assert_eq!(gateway.refusal(by_kid("k2")).await, (403, "jwt-unknown-key"));
        assert_eq!(fetches(), 1);
    }
    gateway.ports.clock.set(NOW + 60);
    assert_eq!(gateway.user(by_kid("k2")).await, "zoe");
    assert_eq!(fetches(), 2);
    for n in 0..100 {
        assert_eq!(gateway.refusal(by_kid(&format!("x{n}"))).await, (403, "jwt-unknown-key"));
    }
    assert_eq!(fetches(), 2);
}

#[tokio::test]
async fn withdrawn_key_is_refused_after_an_hour() {
    let gateway = Gateway::new();
    gateway.user(by_kid("k1")).await;
    publish(&gateway, &["k2"]);
    gateway.ports.clock.set(NOW + 3600);
    assert_eq!(gateway.refusal(by_kid("k1")).await, (403, "jwt-unknown-key"));
}

#[tokio::test]
async fn stale_key_set_is_used_for_a_day() {
    let gateway = Gateway::new();
    gateway.user(by_kid("k1")).await;
    let down = &gateway.ports.key_sets.down;
    down.store(true, Ordering::SeqCst);
    gateway.ports.clock.set(NOW + 86_399);
    assert_eq!(gateway.user(by_kid("k1")).await, "zoe");
    // The gateway can't tell if an unknown key is valid.
    assert_eq!(gateway.refusal(by_kid("k2")).await, (500, "unavailable"));
    gateway.ports.clock.set(NOW + 86_400);
    assert_eq!(gateway.refusal(by_kid("k1")).await, (500, "unavailable"));
    down.store(false, Ordering::SeqCst);
    // Without a usable value, the next fetch is due after five seconds.
    gateway.ports.clock.set(NOW + 86_403);
    assert_eq!(gateway.refusal(by_kid("k1")).await, (500, "unavailable"));
    gateway.ports.clock.set(NOW + 86_404);
    assert_eq!(gateway.user(by_kid("k1")).await, "zoe");
}

#[tokio::test]
async fn failing_issuer_is_asked_once_a_minute() {
    let gateway = Gateway::new();
    gateway.user(by_kid("k1")).await;
    gateway.ports.key_sets.down.store(true, Ordering::SeqCst);
    for after in 3600..3720 {
        gateway.ports.clock.set(NOW + after);
        gateway.user(by_kid("k1")).await;
    }
    assert_eq!(gateway.ports.key_sets.fetches.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn malformed_key_set_replaces_nothing() {
    let gateway = Gateway::new();
    let document = |text: &str| {
        gateway.ports.key_sets.documents.lock().unwrap().insert(url(), text.to_owned());
    };
    document("<html>");
    assert_eq!(gateway.refusal(by_kid("k1")).await, (500, "unavailable"));
    publish(&gateway, &["k1"]);
    gateway.ports.clock.set(NOW + 5);
    assert_eq!(gateway.user(by_kid("k1")).await, "zoe");
    document("<html>");
    gateway.ports.clock.set(NOW + 3605);
    assert_eq!(gateway.user(by_kid("k1")).await, "zoe");
}

#[tokio::test]
async fn concurrent_handshakes_share_one_fetch() {
    let gateway = Arc::new(Gateway::new());
    let held = gateway.ports.key_sets.held.clone().lock_owned().await;
    let tries: Vec<_> = (0..50)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move { gateway.user(by_kid("k1")).await })
        })
        .collect();
    // Let all of them run until they wait for the fetch.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.ports.key_sets.fetches.load(Ordering::SeqCst), 1);
    drop(held);
    for one in tries {
        assert_eq!(one.await.unwrap(), "zoe");
    }
    assert_eq!(gateway.ports.key_sets.fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn known_key_does_not_wait_for_a_fetch() {
    let gateway = Arc::new(Gateway::new());
    gateway.user(by_kid("k1")).await;
    gateway.ports.clock.set(NOW + 60);
    let held = gateway.ports.key_sets.held.clone().lock_owned().await;
    let unknown = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.refusal(by_kid("k9")).await }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.ports.key_sets.fetches.load(Ordering::SeqCst), 2);
    assert_eq!(gateway.user(by_kid("k1")).await, "zoe");
    drop(held);
    assert_eq!(unknown.await.unwrap(), (403, "jwt-unknown-key"));
}

// ---- Secrets ----

fn signed_at(second: u64, secret: &[u8]) -> Client {
    let date_time = format!("2026-03-01T12:{:02}:{:02}Z", second / 60, second % 60);
    client().signed("zoe", &date_time, &sign("zoe", &date_time, secret))
}

#[tokio::test]
async fn rotation_keeps_the_previous_secret_valid() {
    let gateway = Gateway::new();
    let reads = || gateway.ports.secrets.reads.load(Ordering::SeqCst);
    gateway.user(signed_at(0, HMAC_SECRET)).await;
    gateway.ports.secrets.set("hmac", &[b"new", HMAC_SECRET]);
    // A mismatch makes the gateway read the secret again, at most once a minute.
    gateway.ports.clock.set(NOW + 59);
    assert_eq!(gateway.refusal(signed_at(1, b"new")).await, (403, "hmac-mismatch"));
    assert_eq!(reads(), 1);
    gateway.ports.clock.set(NOW + 60);
    gateway.user(signed_at(1, b"new")).await;
    assert_eq!(reads(), 2);
    gateway.user(signed_at(2, HMAC_SECRET)).await;
    for _ in 0..20 {
        assert_eq!(gateway.refusal(signed_at(3, b"guess")).await, (403, "hmac-mismatch"));
    }
    assert_eq!(reads(), 2);
    // After another rotation the oldest value is refused, at the latest after five minutes.
    gateway.ports.secrets.set("hmac", &[b"newest", b"new"]);
    gateway.ports.clock.set(NOW + 360);
    assert_eq!(gateway.refusal(signed_at(300, HMAC_SECRET)).await, (403, "hmac-mismatch"));
    gateway.user(signed_at(300, b"new")).await;
}

#[tokio::test]
async fn jwt_is_accepted_with_the_previous_secret() {
    const NEW: &[u8] = b"a new secret of at least 32 bytes";
    const OTHER: &[u8] = b"yet another secret of 32 bytes or more";
    let gateway = Gateway::new();
    let by = |secret: &[u8]| client().query("token", sign_hs(&json!({"alg": "HS256"}), &claims(HS), secret));
    gateway.ports.secrets.set("hs", &[NEW, HS_SECRET]);
    gateway.user(by(HS_SECRET)).await;
    gateway.user(by(NEW)).await;
    assert_eq!(gateway.refusal(by(OTHER)).await, (403, "jwt-signature"));
    gateway.ports.secrets.set("hs", &[OTHER, NEW]);
    gateway.ports.clock.set(NOW + 60);
    gateway.user(by(OTHER)).await;
}

#[tokio::test]
async fn unreadable_secret_is_500() {
    let gateway = Gateway::new();
    gateway.ports.secrets.values.lock().unwrap().clear();
    assert_eq!(gateway.refusal(signed_client()).await, (500, "unavailable"));
    let token = sign_hs(&json!({"alg": "HS256"}), &claims(HS), HS_SECRET);
    assert_eq!(gateway.refusal(client().query("token", token)).await, (500, "unavailable"));
}

#[tokio::test]
async fn failing_table_is_500_for_signed_handshakes() {
    let gateway = Gateway::new();
    gateway.ports.store.down.store(true, Ordering::SeqCst);
    assert_eq!(gateway.refusal(signed_client()).await, (500, "unavailable"));
}

#[tokio::test]
async fn replay_can_be_allowed() {
    let hmac = HmacConfig { allow_replay: true, ..config().hmac };
    let gateway = Gateway::with(AuthorizerConfig { hmac, ..config() });
    for _ in 0..3 {
        assert_eq!(gateway.user(signed_client()).await, "zoe");
    }
    assert!(gateway.ports.store.rows.lock().unwrap().is_empty());
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let gateway = Gateway::new();
    // Fill the caches with the secrets.
    gateway.user(signed_client()).await;
    gateway.user(client().query("token", sign_hs(&json!({"alg": "HS256"}), &claims(HS), HS_SECRET))).await;
    let shown = format!("{:?} {:?}", gateway.authorizer, auth_token::ports::Secret::new(HMAC_SECRET));
    for secret in [HMAC_SECRET, HS_SECRET] {
        let text = std::str::from_utf8(secret).unwrap();
        assert!(!shown.contains(text) && !shown.contains(&format!("{secret:?}")));
    }
}

// ---- Configuration ----

#[test]
fn unusable_configuration_is_refused() {
    let invalid = |change: &dyn Fn(&mut AuthorizerConfig)| {
        let mut config = config();
        change(&mut config);
        config.validate().unwrap_err()
    };
    assert_eq!(invalid(&|config| config.methods = Methods::NONE), InvalidConfig::NoMethod);
    assert_eq!(invalid(&|config| config.jwt.issuers.clear()), InvalidConfig::NoIssuer);
    assert_eq!(invalid(&|config| config.hmac.secret.clear()), InvalidConfig::NoSecret);
    let twice = invalid(&|config| {
        let again = config.jwt.issuers[0].clone();
        config.jwt.issuers.push(again);
    });
    assert_eq!(twice.to_string(), "two issuers have the same `iss`, https://ed.example");
    let origin = invalid(&|config| config.allowed_origins.push("https://a.example/".to_owned()));
    assert!(origin.to_string().contains("\"https://a.example/\" is not an origin"));
    let cookie = invalid(&|config| config.jwt.cookie_names.push("a=b".to_owned()));
    assert!(cookie.to_string().contains("\"a=b\""));
}

// ---- Issuers ----

/// Returns a gateway with issuers that sign with the shared secret.
fn issuers(list: &[serde_json::Value]) -> Gateway {
    let issuer = |config: &serde_json::Value| {
        let mut config = config.clone();
        config["algorithm"] = json!("HS256");
        config["secret"] = json!("hs");
        serde_json::from_value::<JwtIssuerConfig>(config).unwrap().try_into().unwrap()
    };
    let jwt = JwtConfig { issuers: list.iter().map(issuer).collect(), ..JwtConfig::default() };
    let config = AuthorizerConfig { jwt, ..config() };
    config.validate().unwrap();
    Gateway::with(config)
}

fn by_hs(header: &serde_json::Value, claims: &serde_json::Value) -> Client {
    client().query("access_token", sign_hs(header, claims, HS_SECRET))
}

#[tokio::test]
async fn users_of_two_issuers_differ() {
    let gateway = issuers(&[
        json!({"issuer": "https://a.example", "user_prefix": "a:"}),
        json!({"issuer": "https://b.example", "user_prefix": "b:"}),
    ]);
    let by = |issuer: &str, sub: &str| {
        by_hs(&json!({"alg": "HS256"}), &json!({"iss": issuer, "sub": sub, "exp": NOW + 60}))
    };
    assert_eq!(gateway.user(by("https://a.example", "zoe")).await, "a:zoe");
    assert_eq!(gateway.user(by("https://b.example", "zoe")).await, "b:zoe");
    assert_eq!(gateway.user(by("https://b.example", "a:zoe")).await, "b:a:zoe");
}

/// The server's own issuer has no prefix, and must not name the users of another.
#[tokio::test]
async fn issuer_without_prefix_names_no_user_of_another() {
    let mut config = config();
    config.jwt.shared_user_ids = false;
    for issuer in &mut config.jwt.issuers {
        if issuer.rules.issuer.as_deref() == Some(HS) {
            issuer.rules.user_prefix = "corp:".to_owned();
        }
    }
    let gateway = Gateway::with(config);
    let by_ed = |sub: &str| {
        let claims = claims_with(ED, "sub", json!(sub));
        client().query("access_token", sign_ed(&json!({"alg": "EdDSA", "kid": "k1"}), &claims))
    };
    assert_eq!(gateway.user(by_ed("zoe")).await, "zoe");
    assert_eq!(gateway.refusal(by_ed("corp:zoe")).await, (403, "jwt-foreign-user"));
    // "corp:zoë", as it is carried.
    assert_eq!(gateway.refusal(by_ed("corp:zoë")).await, (403, "jwt-foreign-user"));
    assert_eq!(gateway.user(by_hs(&json!({"alg": "HS256"}), &claims(HS))).await, "corp:zoe");
}

#[tokio::test]
async fn token_of_another_type_is_refused() {
    let by_type = |typ: &str| by_hs(&json!({"alg": "HS256", "typ": typ}), &claims(HS));
    let gateway = Gateway::new();
    for good in ["JWT", "jwt", "at+jwt", "application/at+jwt", "Application/JWT"] {
        assert_eq!(gateway.user(by_type(good)).await, "zoe", "{good}");
    }
    for bad in ["logout+jwt", "dpop+jwt", "", "JWTs", "application/", "x/jwt"] {
        assert_eq!(gateway.refusal(by_type(bad)).await, (403, "jwt-type"), "{bad:?}");
    }
    let gateway = issuers(&[json!({"issuer": HS, "token_types": ["at+jwt"]})]);
    assert_eq!(gateway.user(by_type("application/at+JWT")).await, "zoe");
    assert_eq!(gateway.refusal(by_type("JWT")).await, (403, "jwt-type"));
    assert_eq!(gateway.refusal(by_hs(&json!({"alg": "HS256"}), &claims(HS))).await, (403, "jwt-type"));
}

#[tokio::test]
async fn token_may_not_live_longer_than_its_issuers() {
    let gateway = issuers(&[json!({"issuer": HS, "max_lifetime": "1h"})]);
    let by = |iat: Option<u64>, exp: u64| {
        let mut claims = json!({"iss": HS, "sub": "zoe", "exp": exp});
        if let Some(iat) = iat {
            claims["iat"] = json!(iat);
        }
        by_hs(&json!({"alg": "HS256"}), &claims)
    };
    for (iat, exp) in [(Some(NOW), NOW + 3600), (Some(NOW - 3000), NOW + 600), (None, NOW + 3600)] {
        assert_eq!(gateway.user(by(iat, exp)).await, "zoe");
    }
    for (iat, exp) in [(Some(NOW), NOW + 3606), (Some(NOW - 3000), NOW + 606), (None, NOW + 3606)] {
        assert_eq!(gateway.refusal(by(iat, exp)).await, (403, "jwt-lifetime"), "{iat:?} {exp}");
    }
    let gateway = issuers(&[json!({"issuer": HS, "max_lifetime": "off"})]);
    assert_eq!(gateway.user(by(None, 4_102_444_800)).await, "zoe");
    let gateway = issuers(&[json!({"issuer": HS})]);
    assert_eq!(gateway.refusal(by(None, 4_102_444_800)).await, (403, "jwt-lifetime"));
}

#[tokio::test]
async fn short_secret_of_an_issuer_verifies_nothing() {
    let short = b"31 bytes are one byte too few..";
    assert_eq!(short.len(), 31);
    let by = |secret: &[u8]| {
        client().query("access_token", sign_hs(&json!({"alg": "HS256"}), &claims(HS), secret))
    };
    let gateway = Gateway::new();
    gateway.ports.secrets.set("hs", &[short]);
    assert_eq!(gateway.refusal(by(short)).await.0, 500);
    // While it is replaced, the short one is no longer good.
    let gateway = Gateway::new();
    gateway.ports.secrets.set("hs", &[HS_SECRET, short]);
    assert_eq!(gateway.user(by(HS_SECRET)).await, "zoe");
    assert_eq!(gateway.refusal(by(short)).await, (403, "jwt-signature"));
}
