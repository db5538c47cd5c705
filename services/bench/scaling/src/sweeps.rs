//! The measurement of each sweep's points. Each point has a fresh server; [`crate::report`] has the metrics'
//! labels.

mod backlog;
mod devices;
mod hub;
mod payload;
mod stored;
mod users;

use std::path::Path;

use crate::outcome::Outcome;
use crate::scale::Scale;
use crate::server::Server;
use crate::sweep::{Point, Sweep};

/// Measures a point on a fresh server.
///
/// # Errors
/// The server fails or refuses something.
pub(crate) async fn measure(
    Point { sweep, input }: Point,
    program: &Path,
    scale: &Scale,
) -> anyhow::Result<Outcome> {
    if sweep == Sweep::Hub {
        return hub::measure(program, input, scale).await;
    }
    let mut server = Server::start(program, None)?;
    match sweep {
        Sweep::Users => users::measure(&server, input, scale).await,
        Sweep::Backlog => backlog::measure(&server, input, scale).await,
        Sweep::Payload => payload::measure(&server, input, scale).await,
        Sweep::Devices => devices::measure(&server, input, scale).await,
        Sweep::Stored | Sweep::Hub => stored::measure(&mut server, input, scale).await,
    }
}
