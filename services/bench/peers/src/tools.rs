//! The programs of the systems, and their versions.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use bench_kit::version::{major_minor, version_of};
use clap::Args;

use crate::systems::System;

/// Paths of the programs, as far as they are known.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Tools {
    #[arg(skip)]
    pub(crate) tidings: Option<PathBuf>,
    /// Path of the `mosquitto` program
    #[arg(long, value_name = "FILE")]
    pub(crate) mosquitto: Option<PathBuf>,
    /// Path of the `nats-server` program
    #[arg(long, value_name = "FILE")]
    pub(crate) nats: Option<PathBuf>,
    /// Path of the Node server's main module
    #[arg(long, value_name = "FILE")]
    pub(crate) node_server: Option<PathBuf>,
    /// Path of the `bun` program
    #[arg(long, value_name = "FILE", requires = "bun_server")]
    pub(crate) bun: Option<PathBuf>,
    /// Path of the Bun server's main module
    #[arg(long, value_name = "FILE", requires = "bun")]
    pub(crate) bun_server: Option<PathBuf>,
    /// Path of the `centrifugo` program
    #[arg(long, value_name = "FILE")]
    pub(crate) centrifugo: Option<PathBuf>,
    /// Path of the `nginx` program that loads nchan
    #[arg(long, value_name = "FILE", requires = "nginx_modules")]
    pub(crate) nginx: Option<PathBuf>,
    /// Folder of nginx's modules, with nchan's
    #[arg(long, value_name = "FOLDER", requires = "nginx")]
    pub(crate) nginx_modules: Option<PathBuf>,
    /// Folder of the libraries of mosquitto and nginx
    #[arg(long, value_name = "FOLDER")]
    pub(crate) libraries: Option<PathBuf>,
}

impl Tools {
    /// Returns the reason why a system can't be measured, if there is one.
    pub(crate) fn unavailable(&self, system: System, versions: &BTreeMap<String, String>) -> Option<String> {
        let missing =
            |tool: &Option<PathBuf>, option: &str| tool.is_none().then(|| format!("{option} is not set"));
        match system {
            System::Baseline | System::BaselineSynced => None,
            System::Tidings | System::TidingsAcked => missing(&self.tidings, "--tidings"),
            System::Node => missing(&self.node_server, "--node-server"),
            System::Bun | System::BunCorked => missing(&self.bun, "--bun"),
            System::Mosquitto | System::MosquittoTcp | System::MosquittoDurable => {
                missing(&self.mosquitto, "--mosquitto")
            }
            System::Nats | System::Jetstream => missing(&self.nats, "--nats"),
            System::JetstreamSynced => missing(&self.nats, "--nats").or_else(|| {
                let version = versions.get("nats-server").and_then(|version| major_minor(version));
                let too_old = version.is_none_or(|version| version < (2, 12));
                too_old.then(|| "it needs nats-server 2.12 or later".to_owned())
            }),
            System::Centrifugo | System::CentrifugoHistory => missing(&self.centrifugo, "--centrifugo"),
            System::Nchan => missing(&self.nginx, "--nginx"),
        }
    }

    /// Asks each program for its version.
    pub(crate) fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        let mut ask = |name: &str, mut command: Command, argument: &str| {
            if let Some(version) = version_of(command.arg(argument)) {
                versions.insert(name.to_owned(), version);
            }
        };
        if let Some(tidings) = &self.tidings {
            ask("Tidings", Command::new(tidings), "--version");
        }
        if let Ok(command) = self.mosquitto() {
            // mosquitto has no option for its version, and prints it with its help.
            ask("mosquitto", command, "-h");
        }
        if let Some(nats) = &self.nats {
            ask("nats-server", Command::new(nats), "--version");
        }
        if let Some(centrifugo) = &self.centrifugo {
            ask("Centrifugo", Command::new(centrifugo), "version");
        }
        if let Ok(command) = self.nginx() {
            ask("nginx", command, "-v");
        }
        if let Some(bun) = &self.bun {
            ask("Bun", Command::new(bun), "--version");
        }
        if self.node_server.is_some() {
            ask("Node", Command::new(OsStr::new("node")), "--version");
        }
        versions
    }

    /// Returns a command that starts mosquitto with its libraries.
    pub(crate) fn mosquitto(&self) -> anyhow::Result<Command> {
        Ok(self.with_libraries(self.mosquitto.as_ref().context("--mosquitto is not set")?))
    }

    /// Returns a command that starts nginx with its libraries.
    ///
    /// Debian's nchan creates /var/lib/nginx/body, whatever the configuration says. Run by root, nginx sees an empty
    /// folder in place of /var/lib, so that the machine stays as it is.
    pub(crate) fn nginx(&self) -> anyhow::Result<Command> {
        let nginx = self.nginx.as_ref().context("--nginx is not set")?;
        if !rustix::process::geteuid().is_root() {
            return Ok(self.with_libraries(nginx));
        }
        let mut command = self.with_libraries(Path::new("unshare"));
        let script = "mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/nginx && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(nginx);
        Ok(command)
    }

    fn with_libraries(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}
