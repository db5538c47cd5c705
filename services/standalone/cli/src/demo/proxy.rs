//! A TCP proxy whose connections can be cut, to simulate a bad network.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use shared_sync::IgnorePoison as _;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// Forwards TCP connections to a server whose address may change.
pub(super) struct Proxy {
    address: SocketAddr,
    server: Arc<Mutex<SocketAddr>>,
    cut: broadcast::Sender<()>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = Arc::new(Mutex::new(server));
        let (cut, _) = broadcast::channel(1);
        let task = tokio::spawn(accept(listener, Arc::clone(&server), cut.clone()));
        Ok(Self { address, server, cut, task })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards new connections to another address.
    pub(super) fn point_to(&self, server: SocketAddr) {
        *self.server.lock().ignore_poison() = server;
    }

    /// Drops every connection without closing it properly. Data in transit is lost.
    pub(super) fn cut(&self) {
        // An error says that there is no connection.
        let _ = self.cut.send(());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, server: Arc<Mutex<SocketAddr>>, cut: broadcast::Sender<()>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let server = *server.lock().ignore_poison();
        let mut cut = cut.subscribe();
        tokio::spawn(async move {
            let Ok(mut upstream) = TcpStream::connect(server).await else { return };
            let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
            // When either ends, both sockets are dropped.
            tokio::select! {
                _ = cut.recv() => {}
                _ = copy_bidirectional(&mut client, &mut upstream) => {}
            }
        });
    }
}
