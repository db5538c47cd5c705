//! websocket-lambda-cognito-auth: a page with an ID token of Cognito in a cookie.

use serde_json::{Value, json};

use crate::client::Client;
use crate::gateway::Gateway;
use crate::issuer::Issuer;
use crate::jwt::seconds;
use crate::unique::unique;

/// The issuer and the origin that the gateway trusts.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// The issuer that signs tokens.
    pub issuer: &'a Issuer,
    /// The issuer's name in tokens.
    pub name: &'a str,
    /// The audience of its tokens.
    pub audience: &'a str,
    /// The page's origin.
    pub origin: &'a str,
}

impl Trusted<'_> {
    /// Makes an ID token like those of Cognito.
    fn id_token(&self, user: &str, issuer: &str) -> String {
        self.issuer.sign(&json!({
            "sub": user, "iss": issuer, "aud": self.audience, "token_use": "id", "cognito:username": "Zoe",
            "iat": seconds(-60), "exp": seconds(600),
        }))
    }
}

/// Runs the scenario: pages of the trusted origin connect with their cookie, and send to one user or to all.
pub async fn scenario(gateway: &Gateway, trusted: Trusted<'_>) {
    let (zoe, yan, xia) = (unique("zoe"), unique("yan"), unique("xia"));
    let token = |user: &str| trusted.id_token(user, trusted.name);
    let open = async |name: &str, user: &str| {
        let cookie = format!("theme=dark; {name}={}", token(user));
        let headers = [("Cookie", cookie.as_str()), ("Origin", trusted.origin)];
        Client::open(&gateway.web_socket_url, &headers).await.expect("a page of the trusted origin connects")
    };
    let mut sender = open("auth", &zoe).await;
    let mut second = open("id_token", &yan).await;
    let mut third = open("auth", &xia).await;

    // "Hello world" to one user and then to all. The sender's name tells it from that of other scenarios.
    let message = |recipient: &str| {
        json!({ "action": "message", "data": { "content": "Hello world", "recipient": recipient } })
            .to_string()
    };
    sender.send(&message(&yan)).await;
    sender.send(&message("all")).await;
    let check_message = |frame: &str| {
        let frame: Value = serde_json::from_str(frame).unwrap();
        assert_eq!(frame["action"], "message");
        assert_eq!(
            (&frame["data"]["content"], &frame["data"]["sender"]),
            (&json!("Hello world"), &json!(zoe))
        );
        assert!(frame["data"]["timestamp"].is_u64(), "{frame}");
    };
    let from_zoe = format!(r#""sender":"{zoe}""#);
    for _ in ["to yan", "to all"] {
        check_message(&second.receive_with(&from_zoe).await);
    }
    check_message(&third.receive_with(&from_zoe).await);
    // The third user, who was not named, got one of the two messages.
    third.send(r#"{"action":"whoami"}"#).await;
    let rest = third.receive_until(r#""type":"whoami""#).await;
    assert!(rest.iter().all(|frame| !frame.contains(&from_zoe)), "{rest:?}");

    let valid = format!("auth={}", token(&zoe));
    let other = format!(
        "auth={}",
        trusted.id_token(&zoe, "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other")
    );
    let origin = ("Origin", trusted.origin);
    for headers in [
        &[("Cookie", valid.as_str()), ("Origin", "https://evil.example")][..],
        &[("Cookie", valid.as_str())],
        &[("Cookie", other.as_str()), origin],
        &[("Cookie", "auth=a.b.c"), origin],
    ] {
        let refused = Client::open(&gateway.web_socket_url, headers).await.err();
        assert_eq!(refused, Some(403), "{:?}", headers.last());
    }
    let without_cookie = Client::open(&gateway.web_socket_url, &[origin]).await.err();
    assert_eq!(without_cookie, Some(gateway.status(401)));
}
