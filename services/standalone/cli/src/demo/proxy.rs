//! A bad network: a proxy whose connections can be cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// Passes TCP connections on to a server that may move.
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

    /// Passes new connections on to another address.
    pub(super) fn point_to(&self, server: SocketAddr) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// Cuts every connection: no goodbye, and what was on its way is lost.
    pub(super) fn cut(&self) {
        // An error says that there is no connection to cut.
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
        let server = *server.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cut = cut.subscribe();
        tokio::spawn(async move {
            let Ok(mut upstream) = TcpStream::connect(server).await else { return };
            let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
            // Whichever ends first, both sockets are dropped.
            tokio::select! {
                _ = cut.recv() => {}
                _ = copy_bidirectional(&mut client, &mut upstream) => {}
            }
        });
    }
}
