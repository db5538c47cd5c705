//! What is compared.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A server, in a way of using it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// Tidings; receivers don't acknowledge
    Tidings,
    /// Tidings; receivers acknowledge
    TidingsAcked,
    /// A bare tokio-tungstenite server that only pushes
    Line,
    /// A small Node server as a team would write it
    Node,
    /// mosquitto as it comes: QoS 1, persistent sessions
    Mosquitto,
    /// The same with receivers on plain TCP
    MosquittoTcp,
    /// mosquitto in its strongest durability
    MosquittoDurable,
    /// NATS without JetStream
    Nats,
    /// NATS JetStream as it comes: a durable consumer for each user
    Jetstream,
    /// JetStream that syncs each message, where nats-server can
    JetstreamSynced,
}

impl System {
    /// As it is called in options and tables.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether what is sent to a user who is not connected waits for them.
    pub(crate) const fn holds(self) -> bool {
        !matches!(self, Self::Nats | Self::MosquittoTcp)
    }

    /// Whether receivers confirm what they got, so that nothing may be lost with a connection.
    pub(crate) const fn confirms(self) -> bool {
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

    /// Whether it is the same server as another, asked for another durability only.
    pub(crate) const fn is_of_durability(self) -> bool {
        matches!(self, Self::MosquittoDurable | Self::JetstreamSynced)
    }

    /// Threads that send, and most notifications at once, to users who are connected: what each is fastest with.
    pub(crate) const fn online_producers(self) -> (u32, u32) {
        match self {
            Self::Tidings | Self::TidingsAcked => (4, 1_000),
            Self::Node => (4, 100),
            _ => (2, 100),
        }
    }

    /// The same to users who are not connected.
    pub(crate) const fn offline_producers(self) -> (u32, u32) {
        match self {
            Self::Tidings | Self::TidingsAcked => (2, 1_000),
            Self::Node => (4, 100),
            _ => (2, 500),
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) tidings: Option<PathBuf>,
    pub(crate) mosquitto: Option<PathBuf>,
    pub(crate) nats: Option<PathBuf>,
    pub(crate) node_server: Option<PathBuf>,
    /// Where mosquitto's libraries are.
    pub(crate) libraries: Option<PathBuf>,
}

impl Tools {
    /// Why a system can't be measured.
    pub(crate) fn missing(&self, system: System, nats_version: Option<(u32, u32)>) -> Option<String> {
        let needs = |tool: &Option<PathBuf>, option: &str| {
            tool.is_none().then(|| format!("{option} does not say where it is"))
        };
        match system {
            System::Line => None,
            System::Tidings | System::TidingsAcked => needs(&self.tidings, "--tidings"),
            System::Node => needs(&self.node_server, "--node-server"),
            System::Mosquitto | System::MosquittoTcp | System::MosquittoDurable => {
                needs(&self.mosquitto, "--mosquitto")
            }
            System::Nats | System::Jetstream => needs(&self.nats, "--nats"),
            System::JetstreamSynced => needs(&self.nats, "--nats").or_else(|| {
                let old = nats_version.is_none_or(|version| version < (2, 10));
                old.then(|| "nats-server can sync each message from version 2.10 on".to_owned())
            }),
        }
    }
}
