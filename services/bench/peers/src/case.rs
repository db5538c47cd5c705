//! The cases, and which systems each is measured on.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::systems::System;

/// A case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// Connected users: as many notifications as possible, then 2,000/s, 200/s and half of what was possible
    Online,
    /// Disconnected users: accepting their notifications, and the replay when all connect
    Offline,
    /// 10,000 connections at once, and the memory that 5,000, 10,000 and 18,000 take
    Connections,
    /// The memory of 50,000 connections
    #[value(alias = "crowd")]
    #[serde(alias = "crowd")]
    ManyConnections,
    /// A user who does not read, among many who do
    Slow,
    /// kill -9 after notifications were accepted, then a restart
    Crash,
    /// Connections that drop during the replay, and new notifications before they are back
    Interrupted,
    /// 10,000 notifications held for one user
    Held,
}

impl Case {
    /// Returns its name in options and tables.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns true if the case is measured on the system.
    pub(crate) const fn applies_to(self, system: System) -> bool {
        match self {
            Self::Online => !matches!(system, System::MosquittoDurable),
            Self::Offline => system.holds_notifications(),
            Self::Connections => system.has_own_connections(),
            Self::ManyConnections | Self::Slow => {
                system.has_own_connections()
                    && !matches!(
                        system,
                        System::TidingsAcked | System::MosquittoTcp | System::CentrifugoHistory
                    )
            }
            Self::Crash | Self::Held => {
                system.holds_notifications() && !matches!(system, System::Baseline | System::BaselineSynced)
            }
            // Without acknowledgements, a dropped connection loses what was in flight, on any system.
            Self::Interrupted => {
                system.holds_notifications() && (system.acknowledges() || matches!(system, System::Node))
            }
        }
    }

    /// Returns true if something fails on purpose, so that a weaker system loses notifications.
    pub(crate) const fn has_fault(self) -> bool {
        matches!(self, Self::Crash | Self::Interrupted)
    }
}

/// A case on a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) case: Case,
    pub(crate) system: System,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.case.name(), self.system.name())
    }
}
