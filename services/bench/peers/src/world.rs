//! A running server, and how notifications are sent and received by its protocol.

use std::fs;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use bench_load::frames::Frames;
use bench_load::http::Address;
use bench_load::posts::Posts;
use bench_load::{Door, Handshake, Pace, Run, Sent, Sockets, Target, producer, tokens};
use hdrhistogram::Histogram;
use serde::Deserialize;
use shared_telemetry::process::{Usage, usage};
use tempfile::TempDir;

use crate::line::Lines;
use crate::process::{Process, Ready, free_port};
use crate::protocol::{mqtt, nats};
use crate::systems::{System, Tools};

/// Tokens asked for at once: few enough that none expires before its handshake.
const WAVE: usize = 2_000;
/// Handshakes at a time: mosquitto looks after its WebSockets a few times a second only, and would be measured by
/// nothing else with few.
pub(crate) const AT_ONCE: usize = 512;
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

/// The line that Tidings and the Node server write when they are ready.
#[derive(Deserialize)]
struct Url {
    url: String,
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
        usage(Some(self.process.pid())).unwrap_or_default()
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
        let users = users.iter();
        Ok(match self.system {
            System::Tidings => self.tidings_doors(run, users, false).await?,
            System::TidingsAcked => self.tidings_doors(run, users, true).await?,
            System::Line | System::Node => {
                users.map(|user| Door::new(websocket(user), Frames::new(false))).collect()
            }
            System::Mosquitto | System::MosquittoDurable => {
                users.map(|user| mqtt(Handshake::websocket(host, "/mqtt".to_owned()), user)).collect()
            }
            System::MosquittoTcp => {
                users.map(|user| mqtt(Handshake::tcp(&self.addresses.tcp), user)).collect()
            }
            System::Nats => users.map(|user| nats(user, false)).collect(),
            System::Jetstream | System::JetstreamSynced => users.map(|user| nats(user, true)).collect(),
        })
    }

    async fn tidings_doors(
        &self,
        run: &Run,
        users: impl Iterator<Item = &u32>,
        acknowledge: bool,
    ) -> anyhow::Result<Vec<Door>> {
        let target = self.target();
        let address = Address::of(&target)?;
        let tokens = tokens::fetch(&target, users.map(|user| run.user(*user)).collect()).await?;
        let query = if acknowledge { "format=batch&acknowledge=true" } else { "format=batch" };
        let door = |token| {
            let path = format!("{}/ws?token={token}&{query}", address.prefix);
            Door::new(Handshake::websocket(&address.host, path), Frames::new(acknowledge))
        };
        Ok(tokens.into_iter().map(door).collect())
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
        let (mut times, mut took) = (Sockets::times(), Duration::ZERO);
        sockets.at_once = AT_ONCE;
        for wave in (0..users).collect::<Vec<_>>().chunks(WAVE) {
            let doors = self.doors(run, wave).await?;
            let doors = wave.iter().zip(doors).map(|(user, door)| change(*user, door)).collect();
            took += sockets.open(doors, &mut times).await?;
        }
        Ok((times, took))
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
            let mut command = Command::new(path(&tools.tidings)?);
            command.args(["--json", "serve", "--listen", "127.0.0.1:0", "--data-dir"]);
            command.arg(folder.path().join("data"));
            let (process, line) = Process::start(command, Ready::Line, folder.path())?;
            let key = fs::read_to_string(folder.path().join("data/api-key"));
            let key = key.context("the server made no API key")?.trim().to_owned();
            Ok((process, over_http(&line, key)?))
        }
        System::Node => {
            let mut command = Command::new("node");
            command.arg(path(&tools.node_server)?);
            let (process, line) = Process::start(command, Ready::Line, folder.path())?;
            Ok((process, over_http(&line, String::new())?))
        }
        System::Line => {
            let mut command = Command::new(std::env::current_exe().context("this program is not found")?);
            command.arg(crate::SERVE_LINE);
            let (process, line) = Process::start(command, Ready::Line, folder.path())?;
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

fn over_http(line: &str, api_key: String) -> anyhow::Result<Addresses> {
    let Url { url } = serde_json::from_str(line).context("what the server says is not understood")?;
    let url = url.trim_end_matches('/').to_owned();
    let websocket = url.trim_start_matches("http://").to_owned();
    Ok(Addresses { websocket, url, api_key, ..Addresses::default() })
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
    let (process, _) = Process::start(command, Ready::Port(websocket), folder.path())?;
    let at = |port| format!("127.0.0.1:{port}");
    Ok((process, Addresses { tcp: at(tcp), websocket: at(websocket), ..Addresses::default() }))
}

/// What each of so many users has seen, over all its connections.
pub(crate) fn seen(users: u32) -> Vec<Rc<std::cell::RefCell<bench_load::Seen>>> {
    (0..users).map(|_| Rc::default()).collect()
}
