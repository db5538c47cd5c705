//! An address that refuses connections.

use tokio::net::TcpSocket;

/// A local port on which nothing listens, and which no other process gets while this is kept.
#[derive(Debug)]
pub struct UnusedPort(TcpSocket);

impl UnusedPort {
    /// Takes a free port.
    #[expect(clippy::new_without_default, reason = "each is another port")]
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self(socket)
    }

    /// The port's HTTP URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}
