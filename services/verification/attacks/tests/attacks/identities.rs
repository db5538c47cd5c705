//! Users of an application who pretend to be others, and tokens that are not for this server.

use serde_json::{Value, json};

use crate::support::{Bystander, Client, Server};
use crate::tokens::{self, SECRET, claims, query, sign};

async fn start(directory: &tempfile::TempDir) -> Server {
    let settings = tokens::settings(directory.path());
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Server::start(&directory.path().join("data"), &settings).await
}

/// The sender's id stands beside a name that another user may have, and the name is one line of plain text.
#[tokio::test]
async fn name_of_another_user_deceives_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory).await;
    let mut bystander = Bystander::start(&server, "carol").await;
    let mut bob = Client::handshake(&server, &query(&claims("bob"))).await.unwrap();
    for name in [
        "alice",
        "alice\n[2026-01-01T00:00:00Z - UTC]\n boss  send money",
        "\u{202e}ecila",
        "al\u{0}ice\u{7}\u{200b}",
    ] {
        let mut forged = claims("mallory");
        forged["name"] = json!(name);
        forged["preferred_username"] = json!(name);
        let mut mallory = Client::handshake(&server, &query(&forged)).await.unwrap();
        let answer = mallory.ask(r#"{"action":"sendmessage","hub":"room","message":"hello"}"#).await;
        assert_eq!(answer["type"], "sent", "{answer}");
        let received = loop {
            let frame = bob.next().await.expect("it is open");
            let item = frame["items"].get(0).cloned().unwrap_or(frame);
            if item["payload"]["text"] == "hello" {
                break item["payload"].clone();
            }
        };
        assert_eq!(received["sender"], "mallory");
        let line = received["message"].as_str().unwrap();
        assert!(line.contains("(mallory)"), "{line:?}");
        // A time, a line with sender and text, and an empty one.
        assert_eq!(line.matches('\n').count(), 2, "{line:?}");
        let name = received["senderName"].as_str().unwrap_or_default();
        let is_hidden = |c: char| {
            c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c) || ('\u{202a}'..='\u{202e}').contains(&c)
        };
        assert!(
            !name.contains(is_hidden) && !line.replace('\n', "").contains(is_hidden),
            "{name:?} {line:?}"
        );
    }
    bystander.is_served(5).await;
}

#[tokio::test]
async fn tokens_for_others_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory).await;
    let mut bystander = Bystander::start(&server, "carol").await;
    let with = |change: fn(&mut Value)| {
        let mut claims = claims("mallory");
        change(&mut claims);
        sign(&claims, "HS256", SECRET)
    };
    let good = sign(&claims("mallory"), "HS256", SECRET);
    let unsigned = sign(&claims("mallory"), "none", SECRET);
    let tokens = [
        with(|claims| claims["aud"] = json!("another")),
        with(|claims| claims["aud"] = json!([])),
        with(|claims| claims["iss"] = json!("another")),
        with(|claims| claims["exp"] = json!(1)),
        with(|claims| claims["exp"] = json!(99_999_999_999_u64)),
        with(|claims| claims["nbf"] = json!(99_999_999_999_u64)),
        with(|claims| claims["sub"] = json!("")),
        with(|claims| _ = claims.as_object_mut().unwrap().remove("exp")),
        sign(&claims("mallory"), "HS256", "another secret with as many characters as it needs"),
        sign(&claims("mallory"), "HS512", SECRET),
        sign(&claims("mallory"), "RS256", SECRET),
        format!("{}.", &unsigned[..unsigned.rfind('.').unwrap()]),
        unsigned,
    ];
    for token in tokens.iter().cycle().take(130) {
        let refused = Client::handshake(&server, &format!("access_token={token}")).await;
        assert_eq!(refused.err(), Some(403), "{token}");
    }
    assert!(Client::handshake(&server, &format!("access_token={good}")).await.is_ok());
    bystander.is_served(5).await;
}

/// A user whom an operator blocks loses the connection, and does not come back with the tokens that are left.
#[tokio::test]
async fn blocked_user_stays_out() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory).await;
    let mut bystander = Bystander::start(&server, "carol").await;
    let mut connected = Vec::new();
    for _ in 0..20 {
        connected.push(Client::handshake(&server, &query(&claims("mallory"))).await.unwrap());
    }
    let unused = server.gateway().token(&"mallory".parse().unwrap()).await.unwrap().token;
    let change = async |method: reqwest::Method| {
        let url = format!("{}/v1/users/mallory/block", server.url);
        let request = server.http().request(method, url).bearer_auth(server.api_key());
        request.send().await.unwrap().error_for_status().unwrap().json::<Value>().await
    };
    assert_eq!(change(reqwest::Method::PUT).await.unwrap()["closed"], 20);
    for client in &mut connected {
        assert_eq!(client.next().await, None, "the connection was closed");
    }
    for n in 0..100 {
        let credential = if n == 50 { format!("token={unused}") } else { query(&claims("mallory")) };
        assert_eq!(Client::handshake(&server, &credential).await.err(), Some(403));
    }
    bystander.is_served(5).await;
    let _ = change(reqwest::Method::DELETE).await;
    assert!(Client::handshake(&server, &query(&claims("mallory"))).await.is_ok());
}
