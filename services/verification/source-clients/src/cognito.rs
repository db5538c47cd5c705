//! websocket-lambda-cognito-auth: a page with an ID token of Cognito in a cookie.

use serde_json::{Value, json};

use crate::jwt::seconds;
use crate::{Client, Gateway, Issuer, unique};

/// Whose tokens the gateway takes, and from whose pages.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// Who signs.
    pub issuer: &'a Issuer,
    /// What it calls itself.
    pub name: &'a str,
    /// Whom its tokens are for.
    pub audience: &'a str,
    /// Where the page comes from.
    pub origin: &'a str,
}

impl Trusted<'_> {
    /// An ID token, as Cognito gives it.
    fn id_token(&self, user: &str, issuer: &str) -> String {
        self.issuer.sign(&json!({
            "sub": user, "iss": issuer, "aud": self.audience, "token_use": "id", "cognito:username": "Zoe",
            "iat": seconds(-60), "exp": seconds(600),
        }))
    }
}

/// Pages of the right origin are let in by their cookie, and send to one user or to all.
pub async fn story(gateway: &Gateway, trusted: Trusted<'_>) {
    let (zoe, yan, xia) = (unique("zoe"), unique("yan"), unique("xia"));
    let token = |user: &str| trusted.id_token(user, trusted.name);
    let open = async |name: &str, user: &str| {
        let cookie = format!("theme=dark; {name}={}", token(user));
        let headers = [("Cookie", cookie.as_str()), ("Origin", trusted.origin)];
        Client::open(&gateway.web_socket_url, &headers).await.expect("a page of ours is let in")
    };
    let mut sender = open("auth", &zoe).await;
    let mut second = open("id_token", &yan).await;
    let mut third = open("auth", &xia).await;

    // "Hello world", to one user and then to all. It is only this story's with the sender's name.
    let message = |recipient: &str| {
        json!({ "action": "message", "data": { "content": "Hello world", "recipient": recipient } })
            .to_string()
    };
    sender.send(&message(&yan)).await;
    sender.send(&message("all")).await;
    let heard = |frame: &str| {
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
        heard(&second.receive_with(&from_zoe).await);
    }
    heard(&third.receive_with(&from_zoe).await);
    // Who was not named got one of the two.
    third.send(r#"{"action":"whoami"}"#).await;
    let rest = third.receive_until(r#""type":"whoami""#).await;
    assert!(rest.iter().all(|frame| !frame.contains(&from_zoe)), "{rest:?}");

    let good = format!("auth={}", token(&zoe));
    let other = format!(
        "auth={}",
        trusted.id_token(&zoe, "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other")
    );
    let origin = ("Origin", trusted.origin);
    for headers in [
        &[("Cookie", good.as_str()), ("Origin", "https://evil.example")][..],
        &[("Cookie", good.as_str())],
        &[("Cookie", other.as_str()), origin],
        &[("Cookie", "auth=a.b.c"), origin],
    ] {
        let refused = Client::open(&gateway.web_socket_url, headers).await.err();
        assert_eq!(refused, Some(403), "{:?}", headers.last());
    }
    let nothing = Client::open(&gateway.web_socket_url, &[origin]).await.err();
    assert_eq!(nothing, Some(gateway.status(401)));
}
