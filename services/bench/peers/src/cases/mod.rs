//! What is measured. Each case has a fresh server, and gives figures by name; `report::figures` says what they are.

mod connections;
mod faults;
mod offline;
mod online;
mod slow;

use std::time::Duration;

use bench_kit::{Entry, Figures};
use bench_load::Pace;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::systems::{System, Tools};
use crate::world::World;

/// Accepting ends after that long, however much it was.
const LONGEST: Duration = Duration::from_secs(4);

/// A case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// Users who are connected: as many as possible, then 2,000/s, then half of what was possible
    Online,
    /// Users who are not connected: accepting, and the replay when all connect
    Offline,
    /// 10,000 connections at once, and the memory they take
    Connections,
    /// 50,000 connections: memory alone
    Crowd,
    /// A user who does not read among many who do
    Slow,
    /// Accepted, then kill -9: what is lost
    Crash,
    /// Connections that drop in mid-replay, and new notifications before they are back
    Interrupted,
    /// 10,000 held for one user
    Held,
}

impl Case {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether the case says anything about the system.
    pub(crate) const fn is_for(self, system: System) -> bool {
        match self {
            Self::Online => !system.is_of_durability(),
            Self::Offline => system.holds(),
            Self::Connections | Self::Crowd | Self::Slow => matches!(
                system,
                System::Tidings | System::Line | System::Node | System::Mosquitto | System::Nats
            ),
            Self::Crash | Self::Held => system.holds() && !matches!(system, System::Line),
            // A connection that confirms nothing loses what was on its way, whoever pushed it.
            Self::Interrupted => system.holds() && (system.confirms() || matches!(system, System::Node)),
        }
    }
}

/// How much of everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scale {
    pub(crate) users: u32,
    pub(crate) payload_bytes: usize,
    /// How long each rate is kept, in seconds.
    pub(crate) seconds: f64,
    /// The fixed rate, notifications a second.
    pub(crate) rate: f64,
    /// Notifications on their way to each user, when as many as possible are sent.
    pub(crate) window: u32,
    /// Notifications held for each user who is not connected.
    pub(crate) held: u32,
    pub(crate) connections: u32,
    pub(crate) crowd: u32,
    /// Held for one user.
    pub(crate) held_for_one: u32,
    /// Users of the cases where something fails, with 100 notifications each.
    pub(crate) failing_users: u32,
}

impl Scale {
    /// What the documentation has.
    pub(crate) const fn full() -> Self {
        Self {
            users: 1_000,
            payload_bytes: 256,
            seconds: 2.5,
            rate: 2_000.0,
            window: 20,
            held: 100,
            connections: 10_000,
            crowd: 50_000,
            held_for_one: 10_000,
            failing_users: 100,
        }
    }

    /// Enough to see that everything works.
    pub(crate) const fn quick() -> Self {
        Self {
            users: 20,
            payload_bytes: 256,
            seconds: 0.3,
            rate: 200.0,
            window: 20,
            held: 10,
            connections: 50,
            crowd: 100,
            held_for_one: 200,
            failing_users: 5,
        }
    }

    fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// So many to each user, as fast as they are accepted: fewer where that takes too long.
    const fn burst(users: u32, messages: u32, (producers, batch): (u32, u32)) -> Pace {
        Pace {
            users,
            producers,
            batch,
            messages: Some(messages),
            duration: Some(LONGEST),
            rate: None,
            first_number: 0,
            window: None,
        }
    }
}

/// Measures a case on a fresh server.
pub(crate) async fn run(case: Case, system: System, tools: &Tools, scale: &Scale) -> anyhow::Result<Figures> {
    let mut world = World::start(system, tools, scale.payload_bytes)?;
    match case {
        Case::Online => online::run(&world, scale).await,
        Case::Offline => offline::run(&world, scale).await,
        Case::Connections => connections::run(&world, scale.connections, "connections").await,
        Case::Crowd => connections::run(&world, scale.crowd, "crowd").await,
        Case::Slow => slow::run(&world, scale).await,
        Case::Crash => faults::crash(&mut world, scale).await,
        Case::Interrupted => faults::interrupted(&world, scale).await,
        Case::Held => faults::held(&world, scale).await,
    }
}

/// When nothing came for that long no more will: JetStream sends what was not confirmed again after 30 seconds.
const fn quiet(system: System) -> Duration {
    match system {
        System::Jetstream | System::JetstreamSynced => Duration::from_secs(35),
        _ => Duration::from_secs(2),
    }
}
