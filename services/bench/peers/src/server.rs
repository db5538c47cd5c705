//! A running server of any system: how it is started, how notifications are sent to it and received from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use bench_kit::process::{Process, ReadySignal, START_TIMEOUT, free_port};
use bench_kit::tidings;
use bench_load::frames::FrameProtocol;
use bench_load::producer::send_async;
use bench_load::{Handshake, HttpProducer, Receiver, Requests, RunId, SendReport, Sockets, Target, Workload};
use hdrhistogram::Histogram;
use serde::Deserialize;
use shared_telemetry::process::Usage;
use tempfile::TempDir;

use crate::baseline::{self, BaselineProducer};
use crate::protocol::{mqtt, nats};
use crate::synced_baseline;
use crate::systems::System;
use crate::tools::Tools;

/// Size of a large payload in bytes.
const LARGE_BYTES: usize = 8 * 1024;

/// The addresses of a server. Those it does not have are empty.
#[derive(Debug, Clone, Default)]
struct Addresses {
    /// Host and port for producers over TCP.
    tcp: String,
    /// Host and port for receivers over WebSocket.
    websocket: String,
    /// Base URL for producers over HTTP.
    url: String,
    api_key: String,
}

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

/// The line that the baseline prints once it is ready.
#[derive(Deserialize)]
struct BaselineAddresses {
    tcp: String,
    websocket: String,
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
                self.open(&mut Sockets::new(run), run, users, |_, receiver| receiver).await?;
                Ok(())
            }
            System::Jetstream | System::JetstreamSynced => {
                let (host, run) = (self.addresses.tcp.clone(), run.clone());
                tokio::task::spawn_blocking(move || nats::create_consumers(&host, &run, users)).await?
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
        let nats = |user: &u32, stored| {
            let handshake = Handshake::websocket(host, "/".to_owned());
            Receiver::new(handshake, nats::Subscriber::new(&run.user(*user), stored))
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
            System::Nats => each.map(|user| nats(user, false)).collect(),
            System::Jetstream | System::JetstreamSynced => each.map(|user| nats(user, true)).collect(),
        })
    }

    /// Connects the users 0 to `users` in waves. `change` may change a user's receiver.
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
        users: u32,
        change: impl Fn(u32, Receiver) -> Receiver,
    ) -> anyhow::Result<(Histogram<u64>, Duration)> {
        let receivers = async |wave: &[u32]| {
            let receivers = self.receivers(run, wave).await?;
            Ok(wave.iter().zip(receivers).map(|(user, receiver)| change(*user, receiver)).collect())
        };
        tidings::open_in_waves(sockets, &(0..users).collect::<Vec<_>>(), receivers).await
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
            System::Nats | System::Jetstream | System::JetstreamSynced => {
                let stored = self.system.holds_notifications();
                let connect = move |users: &[u32]| {
                    nats::Publisher::connect(&tcp, &own_run, users, payload_bytes, stored)
                };
                send_async(workload, connect).await
            }
        };
        sent.with_context(|| format!("sending notifications to {} failed", self.system.name()))
    }
}

fn start(system: System, tools: &Tools, folder: &Path) -> anyhow::Result<(Process, Addresses)> {
    let known = |tool: &Option<PathBuf>| tool.clone().context("the path of the program is not set");
    match system {
        System::Tidings | System::TidingsAcked => {
            let (process, target) = tidings::start(&known(&tools.tidings)?, folder, None, START_TIMEOUT)?;
            Ok((process, http_addresses(target.url, target.api_key)))
        }
        System::Node => {
            let mut command = Command::new("node");
            command.arg(known(&tools.node_server)?);
            let (process, line) = Process::start(command, ReadySignal::Line, folder, START_TIMEOUT)?;
            Ok((process, http_addresses(tidings::url(&line)?, String::new())))
        }
        System::Bun | System::BunCorked => {
            let mut command = Command::new(known(&tools.bun)?);
            command.arg(known(&tools.bun_server)?);
            if system == System::BunCorked {
                command.arg("corked");
            }
            let (process, line) = Process::start(command, ReadySignal::Line, folder, START_TIMEOUT)?;
            Ok((process, http_addresses(tidings::url(&line)?, String::new())))
        }
        System::Baseline | System::BaselineSynced => {
            let program = std::env::current_exe().context("can't find the path of this program")?;
            let mut command = Command::new(program);
            if system == System::Baseline {
                command.arg(baseline::SERVE_OPTION);
            } else {
                command.arg(synced_baseline::SERVE_OPTION).arg(folder);
            }
            let (process, line) = Process::start(command, ReadySignal::Line, folder, START_TIMEOUT)?;
            let BaselineAddresses { tcp, websocket } = serde_json::from_str(&line)?;
            Ok((process, Addresses { tcp, websocket, ..Addresses::default() }))
        }
        System::Mosquitto | System::MosquittoTcp => {
            start_configured(tools.mosquitto()?, include_str!("../config/mosquitto.conf"), folder)
        }
        System::MosquittoDurable => {
            start_configured(tools.mosquitto()?, include_str!("../config/mosquitto-durable.conf"), folder)
        }
        System::Nats | System::Jetstream => {
            start_configured(Command::new(known(&tools.nats)?), include_str!("../config/nats.conf"), folder)
        }
        System::JetstreamSynced => start_configured(
            Command::new(known(&tools.nats)?),
            include_str!("../config/nats-synced.conf"),
            folder,
        ),
    }
}

fn http_addresses(url: String, api_key: String) -> Addresses {
    let websocket = url.trim_start_matches("http://").to_owned();
    Addresses { websocket, url, api_key, ..Addresses::default() }
}

/// Starts a server that takes `-c FILE` and whose ports are part of the file.
fn start_configured(
    mut command: Command,
    config: &str,
    folder: &Path,
) -> anyhow::Result<(Process, Addresses)> {
    let (tcp, websocket) = (free_port()?, free_port()?);
    let config = config.replace("@TCP@", &tcp.to_string()).replace("@WEBSOCKET@", &websocket.to_string());
    let file = folder.join("config");
    fs::write(&file, config.replace("@DIRECTORY@", &folder.to_string_lossy()))?;
    command.arg("-c").arg(&file);
    // Both mosquitto and nats-server open the port for WebSockets last.
    let (process, _) = Process::start(command, ReadySignal::Port(websocket), folder, START_TIMEOUT)?;
    let at = |port| format!("127.0.0.1:{port}");
    Ok((process, Addresses { tcp: at(tcp), websocket: at(websocket), ..Addresses::default() }))
}
