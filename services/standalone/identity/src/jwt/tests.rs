use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The key of RFC 8037, appendix A.1.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
/// 2026-03-01T12:00:00Z.
const NOW: u64 = 1_772_366_400;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn issuer_named(issuer: &str, audience: &str) -> JwtIssuer {
    JwtIssuer::new(&Key256::from_text(SEED).unwrap(), issuer, audience).unwrap()
}

fn issuer() -> JwtIssuer {
    issuer_named("http://localhost:8080", "tidings")
}

fn zoe() -> JwtSubject {
    JwtSubject { user_id: UserId::new("zoe").unwrap(), username: "Zoë".to_owned() }
}

/// Returns the result of verifying a valid token about Zoë.
fn about_zoe(expires_at: Timestamp) -> VerifiedJwt {
    let JwtSubject { user_id, username } = zoe();
    VerifiedJwt {
        user_id,
        username: Some(username),
        hubs: Vec::new(),
        expires_at: Some(expires_at),
        issued_at: Some(at(NOW)),
        id: None,
    }
}

fn claims() -> Value {
    json!({"iss": "http://localhost:8080", "aud": "tidings", "sub": "zoe", "iat": NOW, "exp": NOW + 60, "jti": "1"})
}

/// Signs any claims under any header with the issuer's key.
fn forge(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &issuer().signing_key, Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

fn verdict(claims: &Value) -> Result<VerifiedJwt, InvalidJwt> {
    issuer().verify(&forge(&json!({"alg": "EdDSA"}), claims), at(NOW))
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[key] = value;
    claims
}

#[test]
fn key_set_matches_rfc_8037() {
    assert_eq!(
        serde_json::to_value(issuer().jwks()).unwrap(),
        json!({"keys": [{
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            "alg": "EdDSA",
            "use": "sig",
        }]})
    );
}

#[test]
fn token_has_id_token_claims_and_key_id() {
    let issued = issuer().issue(zoe(), Timestamp::from_millis(NOW * 1000 + 999)).unwrap();
    assert_eq!(issued.expires_at, at(NOW + 3600));
    let parts: Vec<Value> = issued
        .token
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    let kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    assert_eq!(parts[0], json!({"alg": "EdDSA", "typ": "JWT", "kid": kid}));
    assert_eq!(
        parts[1],
        json!({
            "iss": "http://localhost:8080",
            "aud": "tidings",
            "sub": "zoe",
            "preferred_username": "Zoë",
            "iat": NOW,
            "iatMs": NOW * 1000 + 999,
            "exp": NOW + 3600,
            "jti": parts[1]["jti"],
        })
    );
    assert_ne!(issuer().issue(zoe(), at(NOW)).unwrap(), issued);
    assert!(!format!("{issued:?}").contains(&issued.token));
}

#[test]
fn key_set_verifies_a_token() {
    let token = issuer().issue(zoe(), at(jsonwebtoken::get_current_timestamp())).unwrap().token;
    let jwks: jsonwebtoken::jwk::JwkSet =
        serde_json::from_value(serde_json::to_value(issuer().jwks()).unwrap()).unwrap();
    let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["tidings"]);
    assert_eq!(jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap().claims["sub"], "zoe");
}

#[test]
fn token_is_valid_for_an_hour_plus_leeway() {
    let token = issuer().issue(zoe(), at(NOW)).unwrap().token;
    let good = |time| issuer().verify(&token, time);
    assert_eq!(VerifiedJwt { id: None, ..good(at(NOW)).unwrap() }, about_zoe(at(NOW + 3600)));
    assert!(good(Timestamp::from_millis((NOW + 3605) * 1000 - 1)).is_ok());
    assert!(matches!(good(at(NOW + 3605)), Err(InvalidJwt::Expired { seconds: 5 })));

    assert!(verdict(&with("nbf", json!(NOW + 5))).is_ok());
    assert!(matches!(verdict(&with("nbf", json!(NOW + 6))), Err(InvalidJwt::NotYet { seconds: 6 })));
}

#[test]
fn wrong_claims_are_refused() {
    assert!(verdict(&claims()).is_ok());
    assert!(matches!(verdict(&with("iss", json!("x"))), Err(InvalidJwt::Issuer)));
    assert!(matches!(verdict(&with("aud", json!("x"))), Err(InvalidJwt::Audience)));
    assert!(matches!(verdict(&with("sub", json!(""))), Err(InvalidJwt::Subject(_))));
    assert!(matches!(verdict(&with("exp", json!("soon"))), Err(InvalidJwt::Form(_))));
    assert!(matches!(verdict(&with("exp", json!(-1))), Err(InvalidJwt::Form(_))));
    assert!(matches!(verdict(&with("iss", Value::Null)), Err(InvalidJwt::Issuer)));
    assert!(matches!(verdict(&with("aud", Value::Null)), Err(InvalidJwt::Audience)));
    assert!(matches!(verdict(&with("sub", Value::Null)), Err(InvalidJwt::NoSubject)));
    assert!(matches!(verdict(&with("exp", Value::Null)), Err(InvalidJwt::Form(_))));
    assert!(matches!(verdict(&with("exp", json!(u64::MAX))), Err(InvalidJwt::Lifetime { .. })));
}

#[test]
fn token_cannot_choose_the_algorithm() {
    let verify = |header: Value| issuer().verify(&forge(&header, &claims()), at(NOW));
    assert!(verify(json!({"alg": "EdDSA", "typ": "jwt"})).is_ok());
    assert!(matches!(verify(json!({"alg": "EdDSA", "typ": "anything"})), Err(InvalidJwt::Type)));
    assert!(matches!(verify(json!({"alg": "none"})), Err(InvalidJwt::Form(_))));
    assert!(matches!(verify(json!({"alg": "RS256"})), Err(InvalidJwt::Signature)));
    assert!(matches!(
        verify(json!({"alg": "EdDSA", "crit": ["b64"], "b64": true})),
        Err(InvalidJwt::Critical)
    ));

    // The public key used as a shared secret.
    let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let confused =
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(&public));
    assert!(matches!(issuer().verify(&confused.unwrap(), at(NOW)), Err(InvalidJwt::Signature)));
}

#[test]
fn tokens_of_other_issuers_are_refused() {
    let token = issuer().issue(zoe(), at(NOW)).unwrap().token;
    let verify = |issuer: &JwtIssuer| issuer.verify(&token, at(NOW));
    let other = Key256::from_bytes([1; 32]);
    let stranger = JwtIssuer::new(&other, "http://localhost:8080", "tidings").unwrap();
    assert!(matches!(verify(&stranger), Err(InvalidJwt::UnknownKey)));
    assert!(matches!(verify(&issuer_named("elsewhere", "tidings")), Err(InvalidJwt::Issuer)));
    assert!(matches!(verify(&issuer_named("http://localhost:8080", "x")), Err(InvalidJwt::Audience)));
    for garbage in ["", ".", "..", "a.b.c", "a.b.c.d", &token[1..], &format!("{token}.x")] {
        assert!(issuer().verify(garbage, at(NOW)).is_err(), "{garbage}");
    }
}

#[test]
fn debug_shows_no_key() {
    let debug = format!("{:?}", issuer());
    assert!(debug.contains("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k") && !debug.contains("nWGx"));
}

proptest! {
    #[test]
    fn issued_token_verifies(
        seed: [u8; 32], user in "[!-~]{3,128}", username in ".{0,40}", now in 0..=u64::from(u32::MAX), age in 0..3600u64,
    ) {
        let issuer = JwtIssuer::new(&Key256::from_bytes(seed), "i", "a").unwrap();
        let subject = JwtSubject { user_id: UserId::new(user).unwrap(), username };
        let issued = issuer.issue(subject.clone(), at(now)).unwrap();
        let verified = issuer.verify(&issued.token, at(now + age)).unwrap();
        let JwtSubject { user_id, username } = subject;
        let username = Some(username).filter(|name| !name.is_empty());
        let expected = VerifiedJwt { user_id, username, hubs: Vec::new(), expires_at: Some(issued.expires_at), issued_at: Some(at(now)), id: verified.id.clone() };
        prop_assert!(verified.id.is_some());
        prop_assert_eq!(verified, expected);
    }

    #[test]
    fn every_altered_character_is_detected(position: prop::sample::Index) {
        let token = issuer().issue(zoe(), at(NOW)).unwrap().token;
        let position = position.index(token.len());
        let mut altered = token.into_bytes();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        prop_assert!(issuer().verify(std::str::from_utf8(&altered).unwrap(), at(NOW)).is_err());
    }
}
