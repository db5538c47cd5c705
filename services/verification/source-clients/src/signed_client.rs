//! The Python client that signs its handshake.

use serde_json::Value;

use crate::gateway::Gateway;
use crate::line_program::LineProgram;
use crate::tools::python;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/hub.py");

/// A Python client with an open connection.
#[derive(Debug)]
pub struct SignedClient(LineProgram);

impl SignedClient {
    /// Starts a client of a session that signs with `secret`. `more` are options of `hub.py`.
    ///
    /// # Errors
    /// The HTTP status with which the handshake is refused.
    pub async fn open(gateway: &Gateway, session: &str, secret: &str, more: &[&str]) -> Result<Self, u16> {
        let mut command = tokio::process::Command::new(python());
        command.args([CLIENT, &gateway.web_socket_url, session]).args(more).env("HUB_SECRET", secret);
        let mut program = LineProgram::start(&mut command);
        let answer = program.line().await;
        if let Some(status) = answer["refused"].as_u64() {
            return Err(u16::try_from(status).unwrap());
        }
        assert_eq!(answer["connected"], true);
        Ok(Self(program))
    }

    /// Sends a message without line breaks.
    pub async fn send(&mut self, message: &str) {
        self.0.write_line(message).await;
    }

    /// Returns all messages up to the first that contains `marker`. Messages of other scenarios may be among
    /// them.
    pub async fn receive_until(&mut self, marker: &str) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            let Value::String(message) = self.0.line().await["received"].take() else {
                panic!("not a message")
            };
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
