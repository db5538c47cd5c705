//! serverless-async-messaging-gateway: the steps of its README, with `tidings` in place of `bin/msg.mjs`.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::client::Client;
use crate::gateway::Gateway;
use crate::line_program::LineProgram;
use crate::timeout::TIMEOUT;
use crate::unique::unique;

/// A user who has logged in, and the program that the user runs.
pub struct Person<'a> {
    /// The ID token that `auth` returns.
    pub id_token: &'a str,
    /// Makes a `tidings` command for the gateway.
    pub tidings: &'a dyn Fn() -> Command,
}

impl Person<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = (self.tidings)();
        command.args(arguments).env("TIDINGS_JWT", self.id_token);
        command
    }

    /// Gets a single-use token.
    async fn token(&self) -> String {
        run(self.command(&["token"]), "").await
    }
}

/// Runs a program to its end with this input and returns its output.
///
/// # Panics
/// The program fails.
pub async fn run(mut command: Command, input: &str) -> String {
    use tokio::io::AsyncWriteExt as _;
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{error}"));
    let mut stdin = child.stdin.take().unwrap();
    // A program that reads no input may have ended already.
    _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(TIMEOUT, child.wait_with_output());
    let output = output.await.expect("the program ends in time").unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {text}");
    text.trim().to_owned()
}

/// Runs the scenario: the user connects, gets a message, and disconnects. Producers send five messages, with
/// retries. The user reconnects and gets them. `send` sends a message with an id.
pub async fn scenario(gateway: &Gateway, person: &Person<'_>, send: impl AsyncFn(&str, &str)) {
    // Steps 3 and 4: the token in the URL opens one connection.
    let url = format!("{}?token={}", gateway.web_socket_url, person.token().await);
    let mut client = Client::open(&url, &[]).await.expect("the user connects");
    assert_eq!(Client::open(&url, &[]).await.err(), Some(403));
    let cool = unique("Serverless is cool!");
    send(&unique("id"), &cool).await;
    // The message arrives without an envelope.
    assert_eq!(client.receive_with(&cool).await, json!(cool).to_string());

    // Step 5: the user disconnects.
    client.send(r#"{"action":"whoami"}"#).await;
    let whoami = client.receive_where("type", "whoami").await;
    client.close().await;
    gateway.until_gone(whoami["connectionId"].as_str().unwrap()).await;

    // Step 6: producers send, and repeat earlier messages in any order, as after a lost answer.
    let messages: Vec<_> = (1..=5).map(|n| unique(&format!("message {n}"))).collect();
    let id = |message: &str| message.replace(' ', "-");
    for (n, message) in messages.iter().enumerate() {
        send(&id(message), message).await;
        let mut again = messages[..=n].to_vec();
        again.sort_by_cached_key(|_| rand::random::<u32>());
        for message in again.iter().take(2) {
            send(&id(message), message).await;
        }
    }

    // Step 7: the user reconnects. One more message is sent when the five have arrived.
    let mut listen = LineProgram::start(&mut person.command(&["--json", "listen"]));
    let mut expected = messages;
    expected.push(unique("last"));
    let last = expected.last().unwrap();
    let mut arrived = Vec::new();
    let mut is_sent = false;
    while arrived.last() != Some(last) {
        // The members of other scenarios may be announced here.
        let line = listen.line().await;
        let Value::String(payload) = &line["payload"] else { continue };
        arrived.push(payload.clone());
        if !is_sent && arrived.len() + 1 == expected.len() {
            send(&id(last), last).await;
            is_sent = true;
        }
    }
    assert_eq!(arrived, expected);
    listen.interrupt().await;
}
