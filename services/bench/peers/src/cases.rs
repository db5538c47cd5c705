//! The measurement of each case. Each has a fresh server and returns metrics; [`crate::report`] has their
//! labels.

mod connections;
mod faults;
mod offline;
mod online;
mod slow;

use bench_kit::Metrics;

use crate::case::{Case, Point};
use crate::scale::Scale;
use crate::server::Server;
use crate::tools::Tools;

/// Measures a case on a fresh server.
///
/// # Errors
/// The server fails or refuses something, or the machine's limits are too small for the case.
pub(crate) async fn measure(
    Point { case, system }: Point,
    tools: &Tools,
    scale: &Scale,
) -> anyhow::Result<Metrics> {
    let mut server = Server::start(system, tools, scale.payload_bytes)?;
    match case {
        Case::Online => online::measure(&server, scale).await,
        Case::Offline => offline::measure(&server, scale).await,
        Case::Connections => {
            let steps = [
                (scale.fewer_connections, "fewerConnections"),
                (scale.connections, "connections"),
                (scale.more_connections, "moreConnections"),
            ];
            connections::measure(&server, &steps).await
        }
        Case::ManyConnections => {
            connections::measure(&server, &[(scale.many_connections, "manyConnections")]).await
        }
        Case::Slow => slow::measure(&server, scale).await,
        Case::Crash => faults::crash(&mut server, scale).await,
        Case::Interrupted => faults::interrupted(&server, scale).await,
        Case::Held => faults::held(&server, scale).await,
    }
}
