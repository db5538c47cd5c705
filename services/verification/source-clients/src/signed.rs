//! The client in Python that signs its handshake.

use serde_json::Value;

use crate::Gateway;
use crate::lines::Program;
use crate::python;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/hub.py");

/// A client in Python with an open connection.
#[derive(Debug)]
pub struct SignedClient(Program);

impl SignedClient {
    /// Starts a client of a session, which signs with `secret`. What else it is told, `hub.py` says.
    ///
    /// # Errors
    /// The status of an answer that refuses it.
    pub async fn open(gateway: &Gateway, session: &str, secret: &str, more: &[&str]) -> Result<Self, u16> {
        let mut command = tokio::process::Command::new(python());
        command.args([CLIENT, &gateway.web_socket_url, session]).args(more).env("HUB_SECRET", secret);
        let mut program = Program::start(&mut command);
        let answer = program.line().await;
        if let Some(status) = answer["refused"].as_u64() {
            return Err(u16::try_from(status).unwrap());
        }
        assert_eq!(answer["connected"], true);
        Ok(Self(program))
    }

    /// Sends a message, which has no line break.
    pub async fn send(&mut self, message: &str) {
        self.0.write_line(message).await;
    }

    /// All messages up to the first that has this text in it. Those of other stories may be among them.
    pub async fn receive_until(&mut self, marker: &str) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            let Value::String(message) = self.0.line().await["received"].take() else { panic!("no message") };
            let is_last = message.contains(marker);
            messages.push(message);
            if is_last {
                return messages;
            }
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.0.finish().await;
    }
}
