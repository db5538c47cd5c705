//! lambda-hub-websocket-auth: sessions that sign their handshakes and send messages to each other.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::jwt::seconds;
use crate::signed_client::SignedClient;
use crate::unique::unique;

/// The time in `from_now` seconds, in whole seconds and in the format of the source's documents.
fn date_time(from_now: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds(from_now)).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Runs the scenario: a session sends to another and the message arrives on all of its connections, without
/// the list of sessions and otherwise unchanged. A second message with the same `id`, which is the
/// application's own, arrives too, and a session without a name keeps it from nobody. Handshakes with no
/// signature, or with a used one, are refused.
pub async fn scenario(gateway: &Gateway, secret: &str) {
    let (from, to, other) = (unique("session 123"), unique("session 456"), unique("session789"));
    let open = async |session: &str, more: &[&str]| {
        SignedClient::open(gateway, session, secret, more).await.expect("the session connects")
    };
    // Times in whole seconds and with microseconds.
    let time = date_time(0);
    let to_the_second = ["--date-time", &time];
    let (mut sender, mut first, mut second, mut stranger) =
        tokio::join!(open(&from, &[]), open(&to, &to_the_second), open(&to, &[]), open(&other, &[]));

    let marker = unique("Olá");
    let body = |marker: &str| format!(r#""id":"order-17","message":"{marker}","n":{{"a":  1.50}}}}"#);
    let message = |body: &str| format!(r#"{{"action":"sendMessage","sessions":["{to}",""],{body}"#);
    sender.send(&message(&body(&marker))).await;
    let expected = format!(r#"{{"action":"sendMessage",{}"#, body(&marker));
    for client in [&mut first, &mut second] {
        assert_eq!(client.receive_until(&marker).await.pop().unwrap(), expected);
    }
    // The answer has the result for each session.
    let answer = sender.receive_until(r#""type":"sent""#).await.pop().unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["results"][0], json!({ "to": to, "accepted": true }));
    assert_eq!(
        (&answer["results"][1]["accepted"], answer["results"][1]["message"].is_string()),
        (&json!(false), true)
    );
    let second_marker = unique("second");
    sender.send(&message(&body(&second_marker))).await;
    for client in [&mut first, &mut second] {
        client.receive_until(&second_marker).await;
    }

    // A message to several sessions. The one that the first message did not name gets only this one.
    let last = unique("last");
    let message = json!({ "action": "sendMessage", "sessions": [from, other], "message": last });
    second.send(&message.to_string()).await;
    sender.receive_until(&last).await;
    let seen = stranger.receive_until(&last).await;
    assert!(seen.iter().all(|message| !message.contains(&marker)), "{seen:?}");
    join_all([sender, first, second, stranger].map(SignedClient::close)).await;

    refusals(gateway, secret, &to, &time).await;
}

/// Checks that invalid signatures are refused, and the valid one of time `used` too.
async fn refusals(gateway: &Gateway, secret: &str, session: &str, used: &str) {
    let (stale, future) = (date_time(-600), date_time(600));
    let cases: [(&str, &[&str], u16); 7] = [
        (secret, &["--without", "X-Session"], 400),
        (secret, &["--without", "X-Date-Time"], 400),
        (secret, &["--without", "X-Signature"], 400),
        ("another secret", &[], 403),
        (secret, &["--date-time", &stale], 403),
        (secret, &["--date-time", &future], 403),
        (secret, &["--date-time", used], 403),
    ];
    let attempts = cases.map(async |(secret, more, status)| {
        let refused = SignedClient::open(gateway, session, secret, more).await.err();
        assert_eq!(refused, Some(gateway.status(status)), "{more:?}");
    });
    join_all(attempts).await;
}

/// Runs the scenario of a gateway that allows replays: a client connects twice with one signature.
pub async fn replay_is_accepted(gateway: &Gateway, secret: &str) {
    let (session, time) = (unique("session"), date_time(-1));
    let more = ["--date-time", time.as_str()];
    let open = || SignedClient::open(gateway, &session, secret, &more);
    let (first, second) = tokio::join!(open(), open());
    join_all([first, second].map(|client| client.expect("the session connects").close())).await;
}
