//! What is measured. Each point of a curve has a fresh server, and gives figures by name; `report::figures` says what
//! they are.

mod backlog;
mod devices;
mod hub;
mod offline;
mod online;
mod payload;
mod stored;
mod users;

use std::path::Path;

use bench_kit::{Figures, limits};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::scale::Scale;
use crate::world::World;

/// Files open besides connections: the generator's few, and the tables and journals of the server.
const OTHER_FILES: u64 = 1_024;
/// A generator that has as many sockets is busy with nothing else.
const MOST_CONNECTIONS: u64 = 15_000;

/// More than that are stored in the first run only.
const MOST_STORED_AGAIN: u32 = 1_000_000;

/// A curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Curve {
    /// Users who get the same number of notifications in all
    Users,
    /// Notifications held for each user
    Backlog,
    /// Notifications held on disk in all
    Stored,
    /// Bytes of a payload
    Payload,
    /// Devices of each user
    Devices,
    /// Members of a hub
    Hub,
}

/// What a point gave.
#[derive(Debug, Default)]
pub(crate) struct Point {
    pub(crate) figures: Figures,
    /// What could not be measured of it, and why.
    pub(crate) left_out: Vec<String>,
}

impl Curve {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether a point is measured in this run: what takes minutes is in the first only.
    pub(crate) const fn is_for_run(self, input: u32, run: u32) -> bool {
        run == 1 || !matches!(self, Self::Stored) || input <= MOST_STORED_AGAIN
    }

    /// Where it is measured.
    pub(crate) fn inputs(self, scale: &Scale) -> &[u32] {
        match self {
            Self::Users => &scale.users,
            Self::Backlog => &scale.backlog,
            Self::Stored => &scale.stored,
            Self::Payload => &scale.payload,
            Self::Devices => &scale.devices,
            Self::Hub => &scale.hub,
        }
    }
}

/// Measures a point on a fresh server.
pub(crate) async fn measure(
    curve: Curve,
    input: u32,
    program: &Path,
    scale: &Scale,
) -> anyhow::Result<Point> {
    if curve == Curve::Hub {
        return hub::run(program, input, scale).await;
    }
    let mut world = World::start(program, None)?;
    match curve {
        Curve::Users => users::run(&world, input, scale).await,
        Curve::Backlog => backlog::run(&world, input, scale).await,
        Curve::Payload => payload::run(&world, input, scale).await,
        Curve::Devices => devices::run(&world, input, scale).await,
        Curve::Stored | Curve::Hub => stored::run(&mut world, input, scale).await,
    }
}

/// Why so many connections can't be made here, if they can't.
fn too_many(connections: u32) -> anyhow::Result<Option<String>> {
    let (connections, allowed) = (u64::from(connections), limits::open_files()?);
    let most = allowed.saturating_sub(OTHER_FILES).clamp(1, MOST_CONNECTIONS);
    let reason =
        || format!("{connections} connections at once, and {most} are possible with {allowed} open files");
    Ok((connections > most).then(reason))
}

/// How many each of so many users gets so that all get so many, about.
const fn each(total: u32, users: u32) -> u32 {
    let each = total.div_ceil(if users == 0 { 1 } else { users });
    if each == 0 { 1 } else { each }
}
