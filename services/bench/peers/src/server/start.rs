//! How each system is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use bench_kit::process::{Process, ReadySignal, START_TIMEOUT, free_port};
use bench_kit::tidings;
use serde::Deserialize;

use crate::systems::System;
use crate::tools::Tools;
use crate::{baseline, synced_baseline};

/// A configuration file, with `@NAME@` for what only a start knows.
#[derive(Debug, Clone, Copy)]
struct Configuration<'a> {
    /// The option that precedes the file.
    option: &'static str,
    /// Name of the file. Some programs take the format from its end.
    file: &'static str,
    text: &'a str,
}

const fn configuration(file: &'static str, text: &'static str) -> Configuration<'static> {
    Configuration { option: "-c", file, text }
}

const MOSQUITTO: Configuration<'_> =
    configuration("mosquitto.conf", include_str!("../../config/mosquitto.conf"));
const MOSQUITTO_DURABLE: Configuration<'_> =
    configuration("mosquitto.conf", include_str!("../../config/mosquitto-durable.conf"));
const NATS: Configuration<'_> = configuration("nats.conf", include_str!("../../config/nats.conf"));
const NATS_SYNCED: Configuration<'_> =
    configuration("nats.conf", include_str!("../../config/nats-synced.conf"));
const CENTRIFUGO: Configuration<'_> =
    configuration("centrifugo.toml", include_str!("../../config/centrifugo.toml"));
const CENTRIFUGO_HISTORY: Configuration<'_> =
    configuration("centrifugo.toml", include_str!("../../config/centrifugo-history.toml"));
const NCHAN: Configuration<'_> = configuration("nginx.conf", include_str!("../../config/nchan.conf"));

/// The addresses of a server. Those it does not have are empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    /// Host and port for producers over TCP.
    pub(super) tcp: String,
    /// Host and port for receivers over WebSocket.
    pub(super) websocket: String,
    /// Base URL for producers over HTTP.
    pub(super) url: String,
    pub(super) api_key: String,
}

/// The line that the baseline prints once it is ready.
#[derive(Deserialize)]
struct BaselineAddresses {
    tcp: String,
    websocket: String,
}

/// Starts a server and waits until it is ready. Its data is in `folder`.
///
/// # Errors
/// Its program is unknown, can't be started or does not get ready.
pub(super) fn start(system: System, tools: &Tools, folder: &Path) -> anyhow::Result<(Process, Addresses)> {
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
        System::Mosquitto | System::MosquittoTcp => start_configured(tools.mosquitto()?, MOSQUITTO, folder),
        System::MosquittoDurable => start_configured(tools.mosquitto()?, MOSQUITTO_DURABLE, folder),
        System::Nats | System::Jetstream => start_configured(Command::new(known(&tools.nats)?), NATS, folder),
        System::JetstreamSynced => start_configured(Command::new(known(&tools.nats)?), NATS_SYNCED, folder),
        System::Centrifugo => start_configured(Command::new(known(&tools.centrifugo)?), CENTRIFUGO, folder),
        System::CentrifugoHistory => {
            start_configured(Command::new(known(&tools.centrifugo)?), CENTRIFUGO_HISTORY, folder)
        }
        System::Nchan => {
            let modules = known(&tools.nginx_modules)?;
            let text = NCHAN.text.replace("@MODULES@", &modules.to_string_lossy());
            start_configured(tools.nginx()?, Configuration { text: &text, ..NCHAN }, folder)
        }
    }
}

fn http_addresses(url: String, api_key: String) -> Addresses {
    let websocket = url.trim_start_matches("http://").to_owned();
    Addresses { websocket, url, api_key, ..Addresses::default() }
}

/// Starts a server that is told its configuration file, of which the ports are a part.
fn start_configured(
    mut command: Command,
    Configuration { option, file, text }: Configuration<'_>,
    folder: &Path,
) -> anyhow::Result<(Process, Addresses)> {
    let websocket = free_port()?;
    // Where there is one port, it is for both.
    let tcp = if text.contains("@TCP@") { free_port()? } else { websocket };
    let text = text.replace("@TCP@", &tcp.to_string()).replace("@WEBSOCKET@", &websocket.to_string());
    let file = folder.join(file);
    fs::write(&file, text.replace("@DIRECTORY@", &folder.to_string_lossy()))?;
    command.arg(option).arg(&file);
    let ready = ReadySignal::Ports([tcp, websocket]);
    let (process, _) = Process::start(command, ready, folder, START_TIMEOUT)?;
    let at = |port| format!("127.0.0.1:{port}");
    let addresses = Addresses {
        tcp: at(tcp),
        websocket: at(websocket),
        url: format!("http://{}", at(websocket)),
        ..Addresses::default()
    };
    Ok((process, addresses))
}
