//! The sweeps: each measures the same at growing inputs.

use std::fmt;

use bench_kit::number;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::scale::Scale;

/// Largest input of the sweep `stored` that is measured in every run. Larger ones take minutes, and are
/// measured in the first run alone.
const MAX_STORED_IN_EVERY_RUN: u32 = 1_000_000;

/// A sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sweep {
    /// Users, who share a fixed number of notifications
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

impl Sweep {
    /// Returns its name in options and tables.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns true if an input is measured in this run.
    pub(crate) const fn is_measured_in(self, run: u32, input: u32) -> bool {
        run == 1 || !matches!(self, Self::Stored) || input <= MAX_STORED_IN_EVERY_RUN
    }

    /// Returns the inputs to measure, in ascending order.
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

/// A point of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Point {
    #[serde(alias = "curve")]
    pub(crate) sweep: Sweep,
    pub(crate) input: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.sweep.name(), number(self.input.into()))
    }
}
