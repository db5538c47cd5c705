//! The systems that are compared.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A server, in one way of using it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// Tidings; receivers don't acknowledge
    Tidings,
    /// Tidings; receivers acknowledge
    TidingsAcked,
    /// A bare tokio-tungstenite server that only pushes
    #[value(alias = "line")]
    #[serde(alias = "line")]
    Baseline,
    /// One thread that appends, syncs, pushes and answers, and does nothing else
    BaselineSynced,
    /// A small Node server as a team would write it
    Node,
    /// The same server written for Bun
    Bun,
    /// The same, which writes at once what a request has for a user
    BunCorked,
    /// mosquitto with its defaults: QoS 1, persistent sessions
    Mosquitto,
    /// The same with receivers on plain TCP
    MosquittoTcp,
    /// mosquitto with its strongest durability
    MosquittoDurable,
    /// NATS without JetStream
    Nats,
    /// NATS JetStream with its defaults: a durable consumer for each user
    Jetstream,
    /// JetStream that syncs each message, from nats-server 2.10
    JetstreamSynced,
}

impl System {
    /// Returns its name in options and tables.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns true if it holds the notifications of users who are not connected.
    pub(crate) const fn holds_notifications(self) -> bool {
        !matches!(self, Self::Nats | Self::MosquittoTcp)
    }

    /// Returns true if receivers acknowledge, so that a lost connection may lose no notification.
    pub(crate) const fn acknowledges(self) -> bool {
        matches!(
            self,
            Self::TidingsAcked
                | Self::Mosquitto
                | Self::MosquittoTcp
                | Self::MosquittoDurable
                | Self::Jetstream
                | Self::JetstreamSynced
        )
    }

    /// Returns true if it differs from another system in its durability only.
    pub(crate) const fn is_durability_variant(self) -> bool {
        matches!(self, Self::MosquittoDurable | Self::JetstreamSynced)
    }

    /// Returns the threads that send to connected users and the largest batch: those it is fastest with.
    pub(crate) const fn online_producers(self) -> (u32, u32) {
        match self {
            Self::Tidings | Self::TidingsAcked => (4, 1_000),
            Self::Node | Self::Bun | Self::BunCorked => (4, 100),
            _ => (2, 100),
        }
    }

    /// Returns the same for users who are not connected.
    pub(crate) const fn offline_producers(self) -> (u32, u32) {
        match self {
            Self::Tidings | Self::TidingsAcked => (2, 1_000),
            Self::Node | Self::Bun | Self::BunCorked => (4, 100),
            _ => (2, 500),
        }
    }

    /// Returns the time without arrivals after which no more are expected.
    ///
    /// JetStream redelivers messages without acknowledgement after 30 seconds.
    pub(crate) const fn quiet_period(self) -> Duration {
        match self {
            Self::Jetstream | Self::JetstreamSynced => Duration::from_secs(35),
            _ => Duration::from_secs(2),
        }
    }
}
