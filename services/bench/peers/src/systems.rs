//! The systems that are compared.

use std::time::Duration;

use bench_kit::tidings::CONCURRENT_HANDSHAKES;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::protocol::jetstream::Batches;

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
    /// JetStream that syncs each message or atomic batch, from nats-server 2.12
    JetstreamSynced,
    /// Centrifugo with its memory engine, without history
    Centrifugo,
    /// The same with history, from which receivers recover
    CentrifugoHistory,
    /// nginx with nchan, whose channels keep their messages in memory
    Nchan,
}

impl System {
    /// Returns its name in options and tables.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns true if it holds the notifications of users who are not connected.
    pub(crate) const fn holds_notifications(self) -> bool {
        !matches!(self, Self::Nats | Self::MosquittoTcp | Self::Centrifugo)
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

    /// Returns true if a connection is not the same as one of another system in this list.
    pub(crate) const fn has_own_connections(self) -> bool {
        !matches!(self, Self::MosquittoDurable | Self::Jetstream | Self::JetstreamSynced)
    }

    /// Returns the threads that send to connected users and the largest batch: those it is fastest with.
    pub(crate) const fn online_producers(self) -> (u32, u32) {
        match self {
            Self::Tidings | Self::TidingsAcked => (4, 1_000),
            Self::Node
            | Self::Bun
            | Self::BunCorked
            | Self::Centrifugo
            | Self::CentrifugoHistory
            | Self::Nats => (4, 100),
            _ => (2, 100),
        }
    }

    /// Returns the same for users who are not connected.
    pub(crate) const fn offline_producers(self) -> (u32, u32) {
        match self {
            Self::Tidings | Self::TidingsAcked | Self::JetstreamSynced => (2, 1_000),
            Self::Node | Self::Bun | Self::BunCorked | Self::CentrifugoHistory => (4, 100),
            _ => (2, 500),
        }
    }

    /// Returns the form in which a publisher of JetStream is fastest.
    pub(crate) const fn batches(self) -> Batches {
        match self {
            Self::JetstreamSynced => Batches::Atomic,
            _ => Batches::None,
        }
    }

    /// Returns the largest number of handshakes at a time.
    ///
    /// mosquitto listens with a backlog of 100. The system drops what exceeds it, and clients try again after a second.
    pub(crate) const fn concurrent_handshakes(self) -> usize {
        match self {
            Self::MosquittoTcp => 64,
            _ => CONCURRENT_HANDSHAKES,
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
