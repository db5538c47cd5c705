//! A running server, and how notifications are sent and received by its protocol.

use std::fs;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use bench_kit::process::{Process, Ready, START, free_port};
use bench_kit::tidings;
use bench_load::frames::Frames;
use bench_load::posts::Posts;
use bench_load::{Door, Handshake, Pace, Run, Sent, Sockets, Target, producer};
use hdrhistogram::Histogram;
use serde::Deserialize;
use shared_telemetry::process::Usage;
use tempfile::TempDir;

use crate::line::Lines;
use crate::protocol::{mqtt, nats};
use crate::systems::{System, Tools};

/// A large payload.
const LARGE_BYTES: usize = 8 * 1024;

/// Where a server is reached. What it does not have is empty.
#[derive(Debug, Clone, Default)]
struct Addresses {
    /// Producers, but for those over HTTP.
    tcp: String,
    /// Receivers.
    websocket: String,
    url: String,
    api_key: String,
}

/// A server with nothing in it yet.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) system: System,
    tools: Tools,
    addresses: Addresses,
    process: Process,
    pub(crate) payload_bytes: usize,
    // Deleted after the process has ended.
    folder: TempDir,
}

/// The line of our own.
#[derive(Deserialize)]
struct Ports {
    tcp: String,
    websocket: String,
}

impl World {
    /// Starts it.
    pub(crate) fn start(system: System, tools: &Tools, payload_bytes: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no temporary directory could be made")?;
        let (process, addresses) = start(system, tools, &folder)?;
        Ok(Self { system, tools: tools.clone(), addresses, process, payload_bytes, folder })
    }

    /// Ends it as a crash does, and starts it again on what it left behind.
    pub(crate) fn crash(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        (self.process, self.addresses) = start(self.system, &self.tools, &self.folder)?;
        Ok(())
    }

    /// What its process has used.
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

    /// Does what must be done before notifications for users who never were connected are kept.
    pub(crate) async fn prepare(&self, run: &Run, users: u32) -> anyhow::Result<()> {
        match self.system {
            System::Mosquitto | System::MosquittoTcp | System::MosquittoDurable => {
                self.open(&mut Sockets::new(run), run, users, |_, door| door).await?;
                Ok(())
            }
            System::Jetstream | System::JetstreamSynced => {
                let (host, run) = (self.addresses.tcp.clone(), run.clone());
                tokio::task::spawn_blocking(move || nats::prepare(&host, &run, users)).await?
            }
            _ => Ok(()),
        }
    }

    /// How users get in, one connection each.
    pub(crate) async fn doors(&self, run: &Run, users: &[u32]) -> anyhow::Result<Vec<Door>> {
        let host = &self.addresses.websocket;
        let websocket = |user: &u32| Handshake::websocket(host, format!("/ws?user={}", run.user(*user)));
        let mqtt = |handshake: Handshake, user: &u32| {
            let handshake = Handshake { subprotocol: Some("mqtt"), ..handshake };
            Door::new(handshake, mqtt::Subscriber::new(run.user(*user)))
        };
        let nats = |user: &u32, kept| {
            Door::new(
                Handshake::websocket(host, "/".to_owned()),
                nats::Subscriber::new(&run.user(*user), kept),
            )
        };
        let each = users.iter();
        Ok(match self.system {
            System::Tidings | System::TidingsAcked => {
                tidings::doors(&self.target(), run, users, self.system.confirms()).await?
            }
            System::Line | System::Node => {
                each.map(|user| Door::new(websocket(user), Frames::new(false))).collect()
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

    /// Opens a connection for each of many users; gives the time each took, and the time all took without what
    /// comes before, such as getting tokens. `change` may make a user's door another.
    pub(crate) async fn open(
        &self,
        sockets: &mut Sockets,
        run: &Run,
        users: u32,
        change: impl Fn(u32, Door) -> Door,
    ) -> anyhow::Result<(Histogram<u64>, Duration)> {
        let doors = async |wave: &[u32]| {
            let doors = self.doors(run, wave).await?;
            Ok(wave.iter().zip(doors).map(|(user, door)| change(*user, door)).collect())
        };
        tidings::open(sockets, &(0..users).collect::<Vec<_>>(), doors).await
    }

    /// Sends from other threads, and gives what was accepted once all of it was.
    pub(crate) async fn send(&self, run: &Run, pace: Pace) -> anyhow::Result<Sent> {
        self.send_bytes(run, pace, self.payload_bytes).await
    }

    /// Sends payloads that fill buffers soon.
    pub(crate) async fn send_large(&self, run: &Run, pace: Pace) -> anyhow::Result<Sent> {
        self.send_bytes(run, pace, LARGE_BYTES).await
    }

    async fn send_bytes(&self, run: &Run, pace: Pace, bytes: usize) -> anyhow::Result<Sent> {
        let (system, target, tcp) = (self.system, self.target(), self.addresses.tcp.clone());
        let run = run.clone();
        let several = pace.batch > 1;
        tokio::task::spawn_blocking(move || match system {
            System::Tidings | System::TidingsAcked | System::Node => {
                producer::send(&pace, |users| Posts::connect(&target, &run, users, bytes, (several, false)))
            }
            System::Line => producer::send(&pace, |users| Lines::connect(&tcp, &run, users, bytes)),
            System::Mosquitto | System::MosquittoTcp | System::MosquittoDurable => {
                producer::send(&pace, |users| mqtt::Publisher::connect(&tcp, &run, users, bytes))
            }
            System::Nats => {
                producer::send(&pace, |users| nats::Publisher::connect(&tcp, &run, users, bytes, false))
            }
            System::Jetstream | System::JetstreamSynced => {
                producer::send(&pace, |users| nats::Publisher::connect(&tcp, &run, users, bytes, true))
            }
        })
        .await?
        .with_context(|| format!("{} was sent notifications", system.name()))
    }
}

fn start(system: System, tools: &Tools, folder: &TempDir) -> anyhow::Result<(Process, Addresses)> {
    let path = |tool: &Option<std::path::PathBuf>| tool.clone().context("the program is not known");
    match system {
        System::Tidings | System::TidingsAcked => {
            let (process, target) = tidings::start(&path(&tools.tidings)?, folder.path(), None, START)?;
            Ok((process, over_http(target.url, target.api_key)))
        }
        System::Node => {
            let mut command = Command::new("node");
            command.arg(path(&tools.node_server)?);
            let (process, line) = Process::start(command, Ready::Line, folder.path(), START)?;
            Ok((process, over_http(tidings::url(&line)?, String::new())))
        }
        System::Line => {
            let mut command = Command::new(std::env::current_exe().context("this program is not found")?);
            command.arg(crate::SERVE_LINE);
            let (process, line) = Process::start(command, Ready::Line, folder.path(), START)?;
            let Ports { tcp, websocket } = serde_json::from_str(&line)?;
            Ok((process, Addresses { tcp, websocket, ..Addresses::default() }))
        }
        System::Mosquitto | System::MosquittoTcp => {
            start_mosquitto(include_str!("../config/mosquitto.conf"), tools, folder)
        }
        System::MosquittoDurable => {
            start_mosquitto(include_str!("../config/mosquitto-durable.conf"), tools, folder)
        }
        System::Nats | System::Jetstream => start_nats(include_str!("../config/nats.conf"), tools, folder),
        System::JetstreamSynced => start_nats(include_str!("../config/nats-synced.conf"), tools, folder),
    }
}

fn over_http(url: String, api_key: String) -> Addresses {
    let websocket = url.trim_start_matches("http://").to_owned();
    Addresses { websocket, url, api_key, ..Addresses::default() }
}

fn start_mosquitto(config: &str, tools: &Tools, folder: &TempDir) -> anyhow::Result<(Process, Addresses)> {
    let mut command = Command::new(tools.mosquitto.as_ref().context("mosquitto is not known")?);
    if let Some(libraries) = &tools.libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    start_configured(command, config, folder)
}

fn start_nats(config: &str, tools: &Tools, folder: &TempDir) -> anyhow::Result<(Process, Addresses)> {
    start_configured(Command::new(tools.nats.as_ref().context("nats-server is not known")?), config, folder)
}

/// Starts a server that takes `-c FILE`, and whose ports must be given.
fn start_configured(
    mut command: Command,
    config: &str,
    folder: &TempDir,
) -> anyhow::Result<(Process, Addresses)> {
    let (tcp, websocket) = (free_port()?, free_port()?);
    let directory = folder.path().to_string_lossy();
    let config = config.replace("@TCP@", &tcp.to_string()).replace("@WEBSOCKET@", &websocket.to_string());
    let file = folder.path().join("config");
    fs::write(&file, config.replace("@DIRECTORY@", &directory))?;
    command.arg("-c").arg(&file);
    // The one for WebSockets is opened last by both.
    let (process, _) = Process::start(command, Ready::Port(websocket), folder.path(), START)?;
    let at = |port| format!("127.0.0.1:{port}");
    Ok((process, Addresses { tcp: at(tcp), websocket: at(websocket), ..Addresses::default() }))
}

/// What each of so many users has seen, over all its connections.
pub(crate) fn seen(users: u32) -> Vec<Rc<std::cell::RefCell<bench_load::Seen>>> {
    (0..users).map(|_| Rc::default()).collect()
}
