//! A listener of its own for metrics and health, which a monitoring system reaches without a credential.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{App, Ports, health};

/// Maximum number of connections. A monitoring system needs a few.
const MAX_CONNECTIONS: usize = 64;

/// Longest life of a connection: it is cheap to open another.
const LIFETIME: Duration = Duration::from_mins(5);

/// Answers requests until the future is dropped.
pub(super) async fn run<P: Ports>(listener: TcpListener, app: Arc<App<P>>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(app.settings.header_timeout);
    let router = Router::new()
        .route("/metrics", get(health::metrics_alone::<P>))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz::<P>))
        .with_state(app);
    let capacity = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // The tasks of connections end with this future.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "can't accept a connection for metrics"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&capacity).try_acquire_owned() else { continue };
        let connection =
            http.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router.clone()));
        connections.spawn(async move {
            if let Ok(Err(error)) = timeout(LIFETIME, connection).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection for metrics failed");
            }
            drop(permit);
        });
    }
}
