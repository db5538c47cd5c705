//! serverless-async-messaging-gateway: the story of its README, with `tidings` in place of `bin/msg.mjs`.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::lines::Program;
use crate::{Client, Gateway, PATIENCE, unique};

/// Somebody who has logged in, and the program they use.
pub struct Person<'a> {
    /// The ID token, which `auth` gives.
    pub id_token: &'a str,
    /// `tidings`, told where the gateway is.
    pub tidings: &'a dyn Fn() -> Command,
}

impl Person<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = (self.tidings)();
        command.args(arguments).env("TIDINGS_JWT", self.id_token);
        command
    }

    /// A single-use token.
    async fn token(&self) -> String {
        run(self.command(&["token"]), "").await
    }
}

/// Runs a program to its end with this input, and gives what it writes.
///
/// # Panics
/// When it fails.
pub async fn run(mut command: Command, input: &str) -> String {
    use tokio::io::AsyncWriteExt as _;
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{error}"));
    let mut stdin = child.stdin.take().unwrap();
    // Who wants no input may be gone by now.
    _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
    let output = output.await.expect("the program ends in time").unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {text}");
    text.trim().to_owned()
}

/// Connect, get a message, stop, get three to five more, reconnect, and see them; by producers that try again.
/// `send` sends a message with an id.
pub async fn story(gateway: &Gateway, person: &Person<'_>, send: impl AsyncFn(&str, &str)) {
    // Steps 3 and 4. The token in the URL opens one connection.
    let url = format!("{}?token={}", gateway.web_socket_url, person.token().await);
    let mut client = Client::open(&url, &[]).await.expect("the user is let in");
    assert_eq!(Client::open(&url, &[]).await.err(), Some(403));
    let cool = unique("Serverless is cool!");
    send(&unique("id"), &cool).await;
    // What arrives is the message, and nothing around it.
    assert_eq!(client.receive_with(&cool).await, json!(cool).to_string());

    // Step 5.
    client.send(r#"{"action":"whoami"}"#).await;
    let whoami = client.receive_where("type", "whoami").await;
    client.close().await;
    gateway.until_gone(whoami["connectionId"].as_str().unwrap()).await;

    // Step 6. Producers that had no answer send once more, in any order.
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

    // Step 7, and one more when all is there.
    let mut listen = Program::start(&mut person.command(&["--json", "listen"]));
    let mut expected = messages;
    expected.push(unique("last"));
    let last = expected.last().unwrap();
    let mut arrived = Vec::new();
    let mut is_sent = false;
    while arrived.last() != Some(last) {
        // Other stories' people may be announced here.
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
