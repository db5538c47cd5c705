//! Attacks on the handshake. Each must fail. Most look the same to the attacker: 403.

use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_token::{MAX_CREDENTIAL_BYTES, MAX_JWT_BYTES, Methods};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use contract_notifications_v1::UserId;
use serde_json::{Value, json};

use crate::support::gateway::*;

fn by_jwt(token: impl Into<String>) -> Client {
    client().query("access_token", token)
}

// ---- JSON Web Tokens ----

#[tokio::test]
async fn each_invalid_jwt_has_its_reason() {
    let gateway = Gateway::new();
    for Signed { algorithm, tokens, .. } in signed() {
        for good in ["good", "no-kid", "client-id", "many-audiences", "large", "almost-expired", "almost-yet"]
        {
            assert_eq!(gateway.user(by_jwt(&tokens[good])).await, "zoe", "{algorithm} {good}");
        }
        let carried = UserId::new("two words").unwrap();
        assert_eq!(gateway.user(by_jwt(&tokens["two-words"])).await, carried.as_str());
        for (bad, reason) in [
            ("other-issuer", "jwt-issuer"),
            // Only the issuer with a secret has no name, and this token is not signed with the secret.
            ("no-issuer", "jwt-signature"),
            ("other-audience", "jwt-audience"),
            ("other-client-id", "jwt-audience"),
            ("other-audience-our-client-id", "jwt-audience"),
            ("no-audience", "jwt-audience"),
            ("expired", "jwt-expired"),
            ("no-exp", "jwt-form"),
            ("not-yet", "jwt-not-yet"),
            ("unknown-kid", "jwt-unknown-key"),
            ("stranger", "jwt-signature"),
            ("crit", "jwt-critical"),
            ("nobody", "jwt-subject"),
        ] {
            assert_eq!(gateway.refusal(by_jwt(&tokens[bad])).await, (403, reason), "{algorithm} {bad}");
        }
    }
}

#[tokio::test]
async fn unsigned_jwt_is_refused_in_every_spelling() {
    let gateway = Gateway::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256 "] {
        for issuer in [ED, HS, "https://rsa.example", "https://ec.example"] {
            let token = sign_ed(&json!({"alg": alg, "kid": "k1"}), &claims(issuer));
            let (message, _) = token.rsplit_once('.').unwrap();
            for token in [format!("{message}."), token.clone()] {
                assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-form"), "{alg} {issuer}");
            }
        }
    }
    // A correct header without a signature.
    let token = good_jwt();
    let (message, _) = token.rsplit_once('.').unwrap();
    assert_eq!(gateway.refusal(by_jwt(format!("{message}."))).await, (403, "jwt-signature"));
}

#[tokio::test]
async fn public_key_is_not_accepted_as_hmac_secret() {
    let gateway = Gateway::new();
    for Signed { issuer, jwk, pem, der, .. } in signed() {
        let text = |value: &Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
        let raw = |value: &Value| URL_SAFE_NO_PAD.decode(text(value)).unwrap();
        let member = if jwk["kty"] == "RSA" { &jwk["n"] } else { &jwk["x"] };
        let secrets = [
            pem.as_bytes().to_vec(),
            pem.trim_end().as_bytes().to_vec(),
            STANDARD.decode(&der).unwrap(),
            der.as_bytes().to_vec(),
            text(member),
            raw(member),
            jwk.to_string().into_bytes(),
        ];
        for secret in secrets {
            let header = json!({"alg": "HS256", "kid": "k1"});
            let token = sign_hs(&header, &claims(&issuer), &secret);
            assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-signature"));
            // The signature is not accepted under the name of the real algorithm either.
            let header = json!({"alg": if jwk["kty"] == "RSA" { "RS256" } else { "ES256" }, "kid": "k1"});
            let token = sign_hs(&header, &claims(&issuer), &secret);
            assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-signature"));
        }
    }
}

#[tokio::test]
async fn issuer_signs_only_for_itself() {
    let gateway = Gateway::new();
    // One issuer signs in the name of another.
    let token = sign_ed(&json!({"alg": "EdDSA", "kid": "k1"}), &claims("https://rsa.example"));
    assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-signature"));
    let token = sign_hs(&json!({"alg": "HS256"}), &claims(ED), HS_SECRET);
    assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-signature"));
    // A token without `iss` is not one of an issuer that has a name.
    let mut nameless = claims(ED);
    nameless.as_object_mut().unwrap().remove("iss");
    let token = sign_ed(&json!({"alg": "EdDSA", "kid": "k1"}), &nameless);
    assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-signature"));
    for issuer in [json!(["https://ed.example"]), json!(7), json!(""), json!("https://ed.example/")] {
        let token = sign_ed(&json!({"alg": "EdDSA", "kid": "k1"}), &claims_with(ED, "iss", issuer));
        assert_eq!(gateway.refusal(by_jwt(token)).await.0, 403);
    }
}

#[tokio::test]
async fn keys_inside_a_jwt_are_not_used() {
    let gateway = Gateway::new();
    let here = json!("https://evil.example/jwks.json");
    let evil = json!({"keys": [ed_jwk("evil")]}).to_string();
    gateway.ports.key_sets.documents.lock().unwrap().insert(here.as_str().unwrap().to_owned(), evil);
    for header in [
        json!({"alg": "EdDSA", "kid": "evil", "jwk": ed_jwk("evil")}),
        json!({"alg": "EdDSA", "kid": "evil", "jku": here}),
        json!({"alg": "EdDSA", "kid": "evil", "x5u": here, "x5c": ["AAAA"]}),
        json!({"alg": "EdDSA", "kid": "../../evil"}),
    ] {
        let token = sign_ed(&header, &claims(ED));
        assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-unknown-key"));
    }
    // Only the issuer's own key set was fetched, and only once within a minute.
    assert_eq!(gateway.ports.key_sets.fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn critical_headers_are_refused() {
    let gateway = Gateway::new();
    for crit in [json!([]), json!(["exp"]), json!(["b64"])] {
        let token = sign_ed(&json!({"alg": "EdDSA", "kid": "k1", "crit": crit}), &claims(ED));
        assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-critical"));
    }
    let token = sign_ed(&json!({"alg": "EdDSA", "kid": "k1", "crit": "exp"}), &claims(ED));
    assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-form"));
}

#[tokio::test]
async fn duplicate_claim_is_refused() {
    let gateway = Gateway::new();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = part(r#"{"alg":"HS256"}"#);
    for twice in [r#""iss":"https://hs.example""#, r#""sub":"root""#, r#""exp":1"#] {
        let claims = claims(HS).to_string();
        let message = format!("{header}.{}", part(&format!("{{{twice},{}", &claims[1..])));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, HS_SECRET);
        let signature = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes()));
        let token = format!("{message}.{signature}");
        assert_eq!(gateway.refusal(by_jwt(token)).await, (403, "jwt-form"), "{twice}");
    }
}

#[tokio::test]
async fn altered_jwt_is_refused() {
    let gateway = Gateway::new();
    let token = good_jwt();
    for at in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let (status, _) = gateway.refusal(by_jwt(String::from_utf8(altered).unwrap())).await;
        assert_eq!(status, 403, "at {at}");
    }
    for altered in [format!("{token}="), format!("{token}A"), format!("{token}.x"), token[1..].to_owned()] {
        assert_eq!(gateway.refusal(by_jwt(altered)).await.0, 403);
    }
    assert_eq!(gateway.user(by_jwt(token)).await, "zoe");
}

#[tokio::test]
async fn jwt_over_8_kib_is_refused_before_parsing() {
    let gateway = Gateway::new();
    let token = format!("{}.e30.AAAA", "e".repeat(MAX_JWT_BYTES));
    assert_eq!(gateway.refusal(by_jwt(&token)).await, (403, "oversized"));
    assert_eq!(gateway.refusal(client().query("token", &token)).await, (403, "oversized"));
    let offer = client().header("Sec-WebSocket-Protocol", format!("jwt.{token}"));
    assert_eq!(gateway.refusal(offer).await, (403, "oversized"));
    assert_eq!(gateway.ports.key_sets.fetches.load(Ordering::SeqCst), 0);
}

// ---- Conflicting credentials, cookies and origins ----

#[tokio::test]
async fn conflicting_credentials_are_refused() {
    let gateway = Gateway::new();
    let (one, other) = (good_jwt(), sign_hs(&json!({"alg": "HS256"}), &claims(HS), HS_SECRET));
    let twice = |client: Client| client.query("access_token", &one);
    for two in [
        twice(client()).header("Authorization", format!("Bearer {other}")),
        twice(client()).header("Sec-WebSocket-Protocol", format!("tidings.v1, jwt.{other}")),
        twice(client()).query("Authorization", format!("Bearer {other}")),
        twice(client()).query("access_token", &other),
        twice(client()).query("token", &other),
        twice(client()).header("Cookie", format!("auth={other}")).header("Origin", ORIGIN),
        client()
            .header("Cookie", format!("auth={one}"))
            .header("Cookie", format!("auth={other}"))
            .header("Origin", ORIGIN),
        client()
            .header("Authorization", format!("Bearer {one}"))
            .header("authorization", format!("bearer {other}")),
        signed_client().header("x-session", "root"),
        signed_client().header("X-SIGNATURE", "0".repeat(64)),
    ] {
        assert_eq!(gateway.refusal(two).await, (403, "conflicting"));
    }
    // The same token in several places is one credential.
    let same = twice(client()).header("Authorization", format!("Bearer {one}")).query("token", &one);
    assert_eq!(gateway.user(same).await, "zoe");
    let token = gateway.connect_token("issuer", "gateway").await;
    let two = client().query("token", &token).header("Sec-WebSocket-Protocol", "token.AAAA");
    assert_eq!(gateway.refusal(two).await, (403, "conflicting"));
}

#[tokio::test]
async fn cookie_needs_an_allowed_origin() {
    let gateway = Gateway::new();
    let by_cookie = || client().header("Cookie", format!("a=b; auth={}", good_jwt()));
    assert_eq!(gateway.refusal(by_cookie()).await, (403, "cookie-without-origin"));
    for foreign in [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "https://evil.example#https://app.example.com",
        "HTTPS://APP.EXAMPLE.COM",
        "https://app.example.com/",
        "null",
        "",
    ] {
        let foreign = by_cookie().header("Origin", foreign);
        assert_eq!(gateway.refusal(foreign).await, (403, "origin"));
    }
    let two = by_cookie().header("Origin", ORIGIN).header("origin", "https://evil.example");
    assert_eq!(gateway.refusal(two).await, (403, "origin"));
    assert_eq!(gateway.user(by_cookie().header("ORIGIN", ORIGIN)).await, "zoe");
}

#[tokio::test]
async fn cookie_is_ignored_without_allowed_origins() {
    let gateway = Gateway::with(auth_token::AuthorizerConfig { allowed_origins: Vec::new(), ..config() });
    let by_cookie = || client().header("Cookie", format!("auth={}", good_jwt()));
    assert_eq!(gateway.refusal(by_cookie()).await, (401, "no-credential"));
    assert_eq!(gateway.refusal(by_cookie().header("Origin", ORIGIN)).await, (401, "no-credential"));
    // Pages of any origin may use other credentials.
    let page = by_jwt(good_jwt()).header("Origin", "https://anyone.example");
    assert_eq!(gateway.user(page).await, "zoe");
}

#[tokio::test]
async fn foreign_origin_is_refused_by_every_method() {
    let methods = Methods { open: true, ..config().methods };
    let gateway = Gateway::with(auth_token::AuthorizerConfig { methods, ..config() });
    let token = gateway.connect_token("issuer", "gateway").await;
    let every = || {
        [
            client().query("token", &token),
            by_jwt(good_jwt()),
            signed_client(),
            client().query("client_id", "zoe"),
        ]
    };
    for client in every().into_iter().chain([client()]) {
        let foreign = client.header("Origin", "https://evil.example");
        assert_eq!(gateway.refusal(foreign).await, (403, "origin"));
    }
    // The refusals used up no credential.
    for client in every() {
        assert_eq!(gateway.user(client.header("Origin", ORIGIN)).await, "zoe");
    }
}

#[tokio::test]
async fn cookies_of_a_mebibyte_are_refused() {
    let gateway = Gateway::new();
    let mebibyte = "x".repeat(1024 * 1024);
    let cookie = |text: String| client().header("Cookie", text).header("Origin", ORIGIN);
    assert_eq!(gateway.refusal(cookie(format!("auth={mebibyte}"))).await, (403, "oversized"));
    assert_eq!(gateway.refusal(cookie(format!("auth={mebibyte}.{mebibyte}."))).await, (403, "oversized"));
    // Other cookies are ignored.
    for text in
        [format!("other={mebibyte}"), mebibyte.clone(), "a=b;".repeat(256 * 1024), ";".repeat(1024 * 1024)]
    {
        assert_eq!(gateway.refusal(cookie(text)).await, (401, "no-credential"));
    }
}

// ---- Signed headers ----

#[tokio::test]
async fn signature_is_accepted_once() {
    let gateway = Gateway::new();
    assert_eq!(gateway.user(signed_client()).await, "zoe");
    for minute in [0, 1, 4, 5] {
        gateway.ports.clock.set(NOW + minute * 60);
        assert_eq!(gateway.refusal(signed_client()).await, (403, "hmac-replayed"));
    }
    gateway.ports.clock.set(NOW + 301);
    assert_eq!(gateway.refusal(signed_client()).await, (403, "hmac-stale"));
    // The row outlives the signature.
    let rows = gateway.ports.store.rows.lock().unwrap();
    assert_eq!(rows.values().map(|row| row.ttl).collect::<Vec<_>>(), [NOW + 301]);
    assert!(rows.keys().all(|key| key.starts_with("hmac-") && key.len() == 5 + 64));
}

#[tokio::test]
async fn one_of_concurrent_replays_wins() {
    let gateway = std::sync::Arc::new(Gateway::new());
    let tries: Vec<_> = (0..100)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move { gateway.try_with(signed_client()).await.is_ok() })
        })
        .collect();
    let mut wins = 0;
    for one in tries {
        wins += usize::from(one.await.unwrap());
    }
    assert_eq!(wins, 1);
}

#[tokio::test]
async fn forged_signature_stores_no_row() {
    let gateway = Gateway::new();
    let forged = client().signed("zoe", DATE_TIME, &sign("zoe", DATE_TIME, b"guess"));
    assert_eq!(gateway.refusal(forged).await, (403, "hmac-mismatch"));
    assert!(gateway.ports.store.rows.lock().unwrap().is_empty());
    assert_eq!(gateway.user(signed_client()).await, "zoe");
}

#[tokio::test]
async fn times_outside_the_window_are_refused() {
    let gateway = Gateway::new();
    for (date_time, reason) in [
        ("2026-03-01T11:54:59.999Z", "hmac-stale"),
        ("2026-03-01T11:54:59", "hmac-stale"),
        ("2026-03-01T13:54:59+02:00", "hmac-stale"),
        ("2026-03-01T11:55:00+00:01", "hmac-stale"),
        ("1970-01-01T00:00:00Z", "hmac-stale"),
        ("2026-03-01T12:05:00.001Z", "hmac-future"),
        ("2026-03-01T12:00:00-05:00", "hmac-future"),
        ("9999-12-31T23:59:59Z", "hmac-future"),
        ("20260301T120000Z", "hmac-date-time"),
        ("2026-W09-7T12:00:00Z", "hmac-date-time"),
        ("2026-060T12:00:00Z", "hmac-date-time"),
        ("2026-03-01 12:00:00", "hmac-date-time"),
        ("2026-03-01T12:00:00,5Z", "hmac-date-time"),
        ("2026-03-01T12:00Z", "hmac-date-time"),
        ("2026-03-01T12:00:60Z", "hmac-date-time"),
        ("2026-03-01T12:00:00Z[Europe/Berlin]", "hmac-date-time"),
        ("2026-03-01T12:00:00+00", "hmac-date-time"),
        ("+2026-03-01T12:00:00Z", "hmac-date-time"),
        ("1772366400", "hmac-date-time"),
        ("Sun, 01 Mar 2026 12:00:00 GMT", "hmac-date-time"),
    ] {
        let client = client().signed("zoe", date_time, &sign("zoe", date_time, HMAC_SECRET));
        assert_eq!(gateway.refusal(client).await, (403, reason), "{date_time}");
    }
    for date_time in [
        "2026-03-01T11:55:00Z",
        "2026-03-01T12:05:00Z",
        "2026-03-01T12:00:00.123456",
        "2026-03-01T12:00:00.123456+00:00",
        "2026-03-01T13:00:00+01:00",
    ] {
        let client = client().signed("zoe", date_time, &sign("zoe", date_time, HMAC_SECRET));
        assert_eq!(gateway.user(client).await, "zoe", "{date_time}");
    }
}

#[tokio::test]
async fn malformed_signatures_are_refused() {
    let gateway = Gateway::new();
    let good = sign("zoe", DATE_TIME, HMAC_SECRET);
    let mixed = {
        let at = good.find(|digit: char| digit.is_ascii_alphabetic()).unwrap();
        format!("{}{}{}", &good[..at], good[at..=at].to_uppercase(), &good[at + 1..])
    };
    for (form, bad) in [
        ("half", good[..32].to_owned()),
        ("one digit short", good[..63].to_owned()),
        ("a byte short", good[..62].to_owned()),
        ("one digit", good[..1].to_owned()),
        ("one digit long", format!("{good}0")),
        ("twice", format!("{good}{good}")),
        ("upper case", good.to_uppercase()),
        ("mixed case", mixed),
        ("with 0x", format!("0x{good}")),
        ("with a space", format!("{} ", &good[..63])),
        ("base64", STANDARD.encode(hex::decode(&good).unwrap())),
    ] {
        let client = client().signed("zoe", DATE_TIME, &bad);
        assert_eq!(gateway.refusal(client).await, (403, "hmac-form"), "{form}");
    }
    // A valid signature of other headers.
    for (session, date_time) in [("root", DATE_TIME), ("zoe", "2026-03-01T12:00:00Z")] {
        let client = client().signed(session, date_time, &good);
        assert_eq!(gateway.refusal(client).await, (403, "hmac-mismatch"));
    }
    // The message can be split at another colon, but then the rest is not a date-time.
    let client = client().signed("zoe:2026-03-01T12:00", "00.000Z", &good);
    assert_eq!(gateway.refusal(client).await, (403, "hmac-date-time"));
    assert_eq!(gateway.user(signed_client()).await, "zoe");
}

#[tokio::test]
async fn empty_secret_is_not_accepted() {
    assert!(auth_token::ports::Secret::new(Vec::new()).is_none());
    let gateway = Gateway::new();
    let empty = client().signed("zoe", DATE_TIME, &sign("zoe", DATE_TIME, b""));
    assert_eq!(gateway.refusal(empty).await, (403, "hmac-mismatch"));
}

#[tokio::test]
async fn incomplete_signed_headers_are_400() {
    let gateway = Gateway::new();
    let signature = sign("zoe", DATE_TIME, HMAC_SECRET);
    let all = [("X-Session", "zoe"), ("X-Date-Time", DATE_TIME), ("X-Signature", &signature)];
    for chosen in 1..7 {
        let some = all.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
        let client = some.fold(client(), |client, (_, (name, value))| client.header(name, *value));
        assert_eq!(gateway.refusal(client).await, (400, "incomplete"));
    }
    let empty = client().signed("zoe", "", &signature);
    assert_eq!(gateway.refusal(empty).await, (400, "incomplete"));
    let none = client().signed("", "", "");
    assert_eq!(gateway.refusal(none).await, (401, "no-credential"));
}

// ---- Connect tokens ----

#[tokio::test]
async fn connect_token_is_valid_once_in_its_context() {
    let gateway = Gateway::new();
    let by_token = |token: &str| client().query("token", token);
    let token = gateway.connect_token("issuer", "gateway").await;
    assert_eq!(gateway.user(by_token(&token)).await, "zoe");
    assert_eq!(gateway.refusal(by_token(&token)).await, (403, "unknown-token"));
    for (issuer, audience) in [("issuer", "other"), ("other", "gateway")] {
        let token = gateway.connect_token(issuer, audience).await;
        assert_eq!(gateway.refusal(by_token(&token)).await, (403, "undecryptable"));
    }
    let late = gateway.connect_token("issuer", "gateway").await;
    gateway.ports.clock.advance(Duration::from_secs(30));
    assert_eq!(gateway.refusal(by_token(&late)).await, (403, "expired"));
    assert_eq!(gateway.refusal(by_token(&"A".repeat(MAX_CREDENTIAL_BYTES + 1))).await, (403, "oversized"));
}

#[tokio::test]
async fn used_signature_row_is_not_a_token() {
    let gateway = Gateway::new();
    gateway.user(signed_client()).await;
    let key = gateway.ports.store.rows.lock().unwrap().keys().next().cloned().unwrap();
    for token in [key.as_str(), &sign("zoe", DATE_TIME, HMAC_SECRET)] {
        assert_eq!(gateway.refusal(client().query("token", token)).await.0, 403);
    }
    assert_eq!(gateway.ports.store.rows.lock().unwrap().len(), 1);
}
