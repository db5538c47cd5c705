//! A running server of any system: how notifications are sent to it and received from it.

mod start;

use std::ops::Range;
use std::time::Duration;

use anyhow::Context as _;
use bench_kit::process::Process;
use bench_kit::tidings;
use bench_load::frames::FrameProtocol;
use bench_load::http::Address;
use bench_load::producer::send_async;
use bench_load::{Handshake, HttpProducer, Receiver, Requests, RunId, SendReport, Sockets, Target, Workload};
use hdrhistogram::Histogram;
use shared_telemetry::process::Usage;
use tempfile::TempDir;

use self::start::{Addresses, start};
use crate::baseline::BaselineProducer;
use crate::protocol::{centrifugo, jetstream, mqtt, nats, nchan};
use crate::systems::System;
use crate::tools::Tools;

/// Size of a large payload in bytes.
const LARGE_BYTES: usize = 8 * 1024;

/// A server process with a folder of its own, which is empty at first.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) system: System,
    tools: Tools,
    addresses: Addresses,
    process: Process,
    payload_bytes: usize,
    // Declared last: it is deleted after the process has ended.
    folder: TempDir,
}

impl Server {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// Its program is unknown, can't be started or does not get ready.
    pub(crate) fn start(system: System, tools: &Tools, payload_bytes: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("can't create a temporary folder")?;
        let (process, addresses) = start(system, tools, folder.path())?;
        Ok(Self { system, tools: tools.clone(), addresses, process, payload_bytes, folder })
    }

    /// Kills the server and starts it again with the same data.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(crate) fn crash(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        (self.process, self.addresses) = start(self.system, &self.tools, self.folder.path())?;
        Ok(())
    }

    /// Registers users again, on systems that forget them in a crash while they keep the notifications.
    ///
    /// # Errors
    /// As [`Server::prepare`].
    pub(crate) async fn prepare_again(&self, run: &RunId, users: u32) -> anyhow::Result<()> {
        match self.system {
            // The consumers were in memory. Their subscribers create them when they connect, as clients do.
            System::Jetstream | System::JetstreamSynced => self.prepare(run, users).await,
            _ => Ok(()),
        }
    }

    /// Returns the processor time and memory that the process has used.
    pub(crate) fn usage(&self) -> Usage {
        self.process.usage()
    }

    fn target(&self) -> Target {
        Target {
            url: self.addresses.url.clone(),
            api_key: self.addresses.api_key.clone(),
            pid: Some(self.process.pid()),
        }
    }

    /// Registers users, on systems that hold notifications for known users only.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) async fn prepare(&self, run: &RunId, users: u32) -> anyhow::Result<()> {
        match self.system {
            System::Mosquitto | System::MosquittoTcp | System::MosquittoDurable => {
                self.open(&mut Sockets::new(run), run, 0..users, |_, receiver| receiver).await?;
                Ok(())
            }
            System::Jetstream | System::JetstreamSynced => {
                let (host, run, batches) = (self.addresses.tcp.clone(), run.clone(), self.system.batches());
                let create = move || jetstream::create_consumers(&host, &run, users, batches);
                tokio::task::spawn_blocking(create).await?
            }
            _ => Ok(()),
        }
    }

    /// Creates a receiver for each user.
    ///
    /// # Errors
    /// Tidings issues no tokens.
    pub(crate) async fn receivers(&self, run: &RunId, users: &[u32]) -> anyhow::Result<Vec<Receiver>> {
        let host = &self.addresses.websocket;
        let websocket = |user: &u32| Handshake::websocket(host, format!("/ws?user={}", run.user(*user)));
        let mqtt = |handshake: Handshake, user: &u32| {
            let handshake = Handshake { subprotocol: Some("mqtt"), ..handshake };
            Receiver::new(handshake, mqtt::Subscriber::new(run.user(*user)))
        };
        let nats = |subscriber: nats::Subscriber| {
            Receiver::new(Handshake::websocket(host, "/".to_owned()), subscriber)
        };
        let centrifugo = |user: &u32| {
            let handshake = Handshake::websocket(host, "/connection/websocket".to_owned());
            let recover = self.system.holds_notifications();
            Receiver::new(handshake, centrifugo::Subscriber::new(run.user(*user), recover))
        };
        let nchan = |user: &u32| {
            let handshake = Handshake::websocket(host, nchan::subscriber_path(&run.user(*user)));
            Receiver::new(handshake, FrameProtocol::new(false))
        };
        let each = users.iter();
        Ok(match self.system {
            System::Tidings | System::TidingsAcked => {
                tidings::receivers(&self.target(), run, users, self.system.acknowledges()).await?
            }
            System::Baseline | System::BaselineSynced | System::Node | System::Bun | System::BunCorked => {
                each.map(|user| Receiver::new(websocket(user), FrameProtocol::new(false))).collect()
            }
            System::Mosquitto | System::MosquittoDurable => {
                each.map(|user| mqtt(Handshake::websocket(host, "/mqtt".to_owned()), user)).collect()
            }
            System::MosquittoTcp => {
                each.map(|user| mqtt(Handshake::tcp(&self.addresses.tcp), user)).collect()
            }
            System::Nats => each.map(|user| nats(nats::Subscriber::new(&run.user(*user)))).collect(),
            System::Jetstream | System::JetstreamSynced => {
                each.map(|user| nats(jetstream::subscriber(&run.user(*user)))).collect()
            }
            System::Centrifugo | System::CentrifugoHistory => each.map(centrifugo).collect(),
            System::Nchan => each.map(nchan).collect(),
        })
    }

    /// Connects users in waves. `change` may change a user's receiver.
    ///
    /// Returns the time of each handshake in microseconds, and the time of all, without that of fetching
    /// tokens.
    ///
    /// # Errors
    /// A connection is refused.
    pub(crate) async fn open(
        &self,
        sockets: &mut Sockets,
        run: &RunId,
        users: Range<u32>,
        change: impl Fn(u32, Receiver) -> Receiver,
    ) -> anyhow::Result<(Histogram<u64>, Duration)> {
        let receivers = async |wave: &[u32]| {
            let receivers = self.receivers(run, wave).await?;
            Ok(wave.iter().zip(receivers).map(|(user, receiver)| change(*user, receiver)).collect())
        };
        sockets.concurrent_handshakes = self.system.concurrent_handshakes();
        tidings::open_in_waves(sockets, &users.collect::<Vec<_>>(), receivers).await
    }

    /// Sends from other threads, and returns once the server has accepted all notifications.
    ///
    /// # Errors
    /// The server fails or refuses a notification.
    pub(crate) async fn send(&self, run: &RunId, workload: Workload) -> anyhow::Result<SendReport> {
        self.send_bytes(run, workload, self.payload_bytes).await
    }

    /// Sends payloads that fill buffers fast.
    ///
    /// # Errors
    /// As [`Server::send`].
    pub(crate) async fn send_large(&self, run: &RunId, workload: Workload) -> anyhow::Result<SendReport> {
        self.send_bytes(run, workload, LARGE_BYTES).await
    }

    async fn send_bytes(
        &self,
        run: &RunId,
        workload: Workload,
        payload_bytes: usize,
    ) -> anyhow::Result<SendReport> {
        let (tcp, own_run) = (self.addresses.tcp.clone(), run.clone());
        let sent = match self.system {
            System::Tidings | System::TidingsAcked | System::Node | System::Bun | System::BunCorked => {
                let requests = Requests { batched: workload.batch > 1, with_ids: false, payload_bytes };
                HttpProducer::send(&self.target(), run, workload, requests).await
            }
            System::Baseline | System::BaselineSynced => {
                let connect =
                    move |users: &[u32]| BaselineProducer::connect(&tcp, &own_run, users, payload_bytes);
                send_async(workload, connect).await
            }
            System::Mosquitto | System::MosquittoTcp | System::MosquittoDurable => {
                let connect =
                    move |users: &[u32]| mqtt::Publisher::connect(&tcp, &own_run, users, payload_bytes);
                send_async(workload, connect).await
            }
            System::Nats => {
                let connect =
                    move |users: &[u32]| nats::Publisher::connect(&tcp, &own_run, users, payload_bytes);
                send_async(workload, connect).await
            }
            System::Jetstream | System::JetstreamSynced => {
                let batches = self.system.batches();
                let connect = move |users: &[u32]| {
                    jetstream::Publisher::connect(&tcp, &own_run, users, payload_bytes, batches)
                };
                send_async(workload, connect).await
            }
            System::Centrifugo | System::CentrifugoHistory => {
                let address = Address::of(&self.target())?;
                let connect = move |users: &[u32]| {
                    centrifugo::Publisher::connect(&address, &own_run, users, payload_bytes)
                };
                send_async(workload, connect).await
            }
            System::Nchan => {
                let connect =
                    move |users: &[u32]| nchan::Publisher::connect(&tcp, &own_run, users, payload_bytes);
                send_async(workload, connect).await
            }
        };
        sent.with_context(|| format!("sending notifications to {} failed", self.system.name()))
    }
}
