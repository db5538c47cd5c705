//! `tidings bench`: options and table of the [benchmark](crate::bench).

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use contract_connections_v1::FrameFormat;

use super::output::columns;
use super::{Exit, Globals, Output, Tone};
use crate::bench::{self, Load, Mode, Report, Target};
use crate::child_server::{ChildServer, ChildServerSettings};

/// A measurement ends when no notification has arrived for this long.
const QUIET: Duration = Duration::from_secs(5);

/// Measure the speed of a temporary server, or of the server at --url
///
/// Exits with 1 if anything was lost, repeated or out of order.
#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Measure notifications to connected users
    Online(Options),
    /// Measure notifications to offline users, and their replay when the users connect
    Offline(Options),
    /// Measure the memory of idle connections
    Idle(Options),
    /// Measure handshakes
    Connect(Options),
}

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Process of the server at --url, on this machine, to measure its memory and CPU
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Durability of the temporary server: synced or buffered
    #[arg(long, value_name = "MODE", conflicts_with = "url")]
    durability: Option<String>,
    /// Configuration file of the temporary server
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
    /// Number of users
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    users: u32,
    /// Number of connections [default: `--users`; 10000 for idle and connect]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    connections: Option<u32>,
    /// Number of notifications to each user
    #[arg(long, default_value_t = 100)]
    messages: u32,
    /// Size of a payload in bytes
    #[arg(long, default_value_t = 256, value_name = "BYTES")]
    payload_bytes: usize,
    /// Number of sending threads
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    producers: u32,
    /// Number of notifications in a request
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Notifications per second in all [default: as many as possible]
    #[arg(long, value_parser = parse_positive)]
    rate: Option<f64>,
    /// Send for this number of seconds instead of a number of notifications
    #[arg(long, value_name = "SECONDS", value_parser = parse_positive, conflicts_with = "messages")]
    duration: Option<f64>,
    /// Acknowledge notifications
    #[arg(long)]
    acknowledge: bool,
    /// Frame format to request
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Give every notification an id, so that the server checks for duplicates
    #[arg(long)]
    ids: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    Raw,
    Single,
    #[default]
    Batch,
}

fn parse_positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) && number > 0.0 => Ok(number),
        _ => Err("must be a number above zero".to_owned()),
    }
}

impl Bench {
    pub(super) fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let (mode, options) = match self {
            Self::Online(options) => (Mode::Online, options),
            Self::Offline(options) => (Mode::Offline, options),
            Self::Idle(options) => (Mode::Idle, options),
            Self::Connect(options) => (Mode::Connect, options),
        };
        let load = options.load(mode);
        let temporary = if globals.url.is_none() { Some(options.start_server()?) } else { None };
        let target = match &temporary {
            Some(server) => Target {
                url: server.url().to_owned(),
                api_key: server.api_key().to_owned(),
                pid: Some(server.pid()),
            },
            None => Target { url: globals.url().to_owned(), api_key: globals.api_key()?, pid: options.pid },
        };
        let report = bench::run(mode, &target, &load)?;
        output.result(&report, |output| table(&report, output))?;
        Ok(if report.is_sound() { Exit::Ok } else { Exit::Failure })
    }
}

impl Options {
    fn load(&self, mode: Mode) -> Load {
        let connections = match mode {
            Mode::Online | Mode::Offline => self.users,
            Mode::Idle | Mode::Connect => 10_000,
        };
        Load {
            users: self.users,
            connections: self.connections.unwrap_or(connections),
            messages: self.messages,
            payload_bytes: self.payload_bytes,
            producers: self.producers,
            batch: self.batch,
            rate: self.rate,
            duration: self.duration.map(Duration::from_secs_f64),
            acknowledge: self.acknowledge,
            format: match self.format {
                Format::Raw => FrameFormat::Raw,
                Format::Single => FrameFormat::Single,
                Format::Batch => FrameFormat::Batch,
            },
            ids: self.ids,
            quiet: QUIET,
        }
    }

    fn start_server(&self) -> anyhow::Result<ChildServer> {
        let settings =
            ChildServerSettings { durability: self.durability.clone(), config: self.config.clone() };
        ChildServer::start(settings)
    }
}

fn table(report: &Report, output: &Output) -> String {
    let rows: Vec<_> = report
        .rows()
        .into_iter()
        .map(|row| {
            let value = if row.bad { output.paint(Tone::Bad, &row.value) } else { row.value };
            vec![row.name.to_owned(), value]
        })
        .collect();
    let title = output.paint(Tone::Strong, report.mode);
    format!("{title}\n{}", columns(&rows))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Cli;

    #[test]
    fn options_are_checked() {
        for good in [
            &["bench", "online"][..],
            &["bench", "online", "--rate", "2000", "--duration", "5", "--batch", "1"],
            &["bench", "idle", "--url", "http://h", "--pid", "1"],
            &["bench", "connect", "--connections", "5000"],
        ] {
            Cli::try_parse_from(["tidings"].iter().chain(good)).unwrap();
        }
        for bad in [
            &["bench"][..],
            &["bench", "online", "--rate", "0"],
            &["bench", "online", "--users", "0"],
            &["bench", "idle", "--pid", "1"],
        ] {
            assert!(Cli::try_parse_from(["tidings"].iter().chain(bad)).is_err(), "{bad:?}");
        }
    }
}
