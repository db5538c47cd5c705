//! The command line. Each command has a file; all output goes through [`Output`].

mod bench;
mod config;
mod demo;
mod dlq;
mod exit;
mod listen;
mod output;
mod prompt;
mod reference;
mod send;
mod serve;
mod server_options;
mod store;
mod token;
mod user;

use std::cell::Cell;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use tidings_client::{Gateway, Stack};
use tidings_identity::credentials::API_KEY_FILE;

pub use exit::{BadConfiguration, Exit};
pub use output::{Output, Tone};

/// Default address of the server.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Default data directory of a server.
pub(crate) const DEFAULT_DATA_DIR: &str = "tidings-data";

/// Attempts of a request: enough for a short outage, few enough for a person to wait.
const ATTEMPTS: u32 = 4;

/// Tidings delivers notifications to users' open browser tabs and devices, in order, and keeps them while a
/// user is offline.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, after_help = exit::help(), max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    /// The command; `serve` by default.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
struct Globals {
    /// Address of the server [default: `http://127.0.0.1:8080`]
    #[arg(long, global = true, env = "TIDINGS_URL", value_name = "URL")]
    url: Option<String>,
    /// Use a deployment on AWS: the file with its outputs, as `pulumi stack output --json` writes it
    #[arg(long, global = true, env = "TIDINGS_STACK", value_name = "FILE")]
    stack: Option<PathBuf>,
    /// API key of the server [default: the file `api-key` in the data directory]
    #[arg(long, global = true, env = "TIDINGS_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    /// Data directory of a server on this machine [default: `tidings-data`]
    #[arg(long, global = true, env = "TIDINGS_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print JSON for programs, one object on each line
    #[arg(long, global = true)]
    json: bool,
    /// True after a command found no API key, for the hint in its error.
    #[arg(skip)]
    key_is_missing: Cell<bool>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Token(token::Token),
    Listen(listen::Listen),
    Send(send::Send),
    #[command(subcommand)]
    User(user::User),
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    #[command(subcommand)]
    Bench(bench::Bench),
    #[command(subcommand)]
    Store(store::Store),
    #[command(subcommand)]
    Config(config::Config),
    #[command(subcommand, hide = true)]
    Reference(reference::Reference),
}

impl Globals {
    fn url(&self) -> &str {
        self.url.as_deref().unwrap_or(DEFAULT_URL)
    }

    fn data_dir(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new(DEFAULT_DATA_DIR))
    }

    /// Returns the given API key, or the one in the data directory.
    fn api_key(&self) -> anyhow::Result<String> {
        if let Some(key) = &self.api_key {
            return Ok(key.clone());
        }
        let path = self.data_dir().join(API_KEY_FILE);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let key = text.trim();
        anyhow::ensure!(!key.is_empty(), "no API key at {}; pass --api-key or --data-dir", path.display());
        Ok(key.to_owned())
    }

    /// Returns the server with the API key, if there is one: a server may do without.
    fn gateway(&self) -> anyhow::Result<Gateway> {
        let gateway = self.anonymous_gateway()?;
        let Ok(key) = self.api_key() else {
            self.key_is_missing.set(true);
            return Ok(gateway);
        };
        Ok(gateway.with_api_key(key))
    }

    /// Returns the server without an API key.
    fn anonymous_gateway(&self) -> anyhow::Result<Gateway> {
        if self.stack.is_some() {
            let problem = "--stack works with `listen --jwt` and `token --jwt` only: a deployment on AWS has no \
                           API key, and producers send to its queue or its producer API";
            return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, problem).into());
        }
        Ok(Gateway::new(self.url())?.with_attempts(ATTEMPTS))
    }

    /// Returns the server or the deployment on AWS, for requests with a JSON Web Token.
    fn gateway_by_jwt(&self) -> anyhow::Result<Gateway> {
        let Some(path) = &self.stack else { return self.anonymous_gateway() };
        let text = std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        let stack: Stack = serde_json::from_slice(&text)
            .with_context(|| format!("{} does not contain the outputs of a stack", path.display()))?;
        Ok(Gateway::of_stack(&stack)?.with_attempts(ATTEMPTS))
    }
}

/// Runs the program with the process's arguments and streams.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::process(cli.globals.json);
    finish(run(cli, &mut output), &mut output)
}

/// Runs the program with the given arguments and output.
pub fn run_with<A: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = A>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    run(Cli::try_parse_from(arguments)?, output)
}

fn run(cli: Cli, output: &mut Output) -> anyhow::Result<Exit> {
    let Cli { globals, command } = cli;
    let result = match command.unwrap_or_else(|| Command::Serve(serve::Serve::default())) {
        Command::Serve(command) => command.run(&globals, output),
        Command::Bench(command) => command.run(&globals, output),
        Command::Config(command) => command.run(&globals, output),
        Command::Store(command) => command.run(&globals, output),
        Command::Reference(command) => command.run(Cli::command(), output),
        Command::Demo(command) => block_on(command.run(output)),
        Command::Token(command) => block_on(command.run(&globals, output)),
        Command::Listen(command) => block_on(command.run(&globals, output)),
        Command::Send(command) => block_on(command.run(&globals, output)),
        Command::User(command) => block_on(command.run(&globals, output)),
        Command::Dlq(command) => block_on(command.run(&globals, output)),
    };
    // A server may do without API keys, so a missing key is reported only if the server insists on one.
    result.map_err(|error| match globals.api_key() {
        Err(hint) if globals.key_is_missing.get() && exit::classify(&error) == Exit::NotAuthorised => {
            error.context(hint)
        }
        _ => error,
    })
}

fn block_on(future: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the asynchronous runtime could not be started")?;
    let result = runtime.block_on(future);
    // A blocked read of standard input can't be cancelled, so it is abandoned.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

fn finish(result: anyhow::Result<Exit>, output: &mut Output) -> ExitCode {
    let exit = match result {
        Ok(exit) => exit,
        Err(error) if exit::is_broken_pipe(&error) => Exit::Ok,
        Err(error) => {
            output.error(&error);
            exit::classify(&error)
        }
    };
    exit.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_command() {
        assert!(Cli::try_parse_from(["tidings"]).unwrap().command.is_none());
    }

    #[test]
    fn common_options_may_stand_anywhere() {
        for arguments in [["tidings", "--json", "token", "jo"], ["tidings", "token", "jo", "--json"]] {
            assert!(Cli::try_parse_from(arguments).unwrap().globals.json);
        }
    }

    #[test]
    fn help_lists_the_exit_codes() {
        let help = Cli::command().render_help().to_string();
        for code in ["0 ", "1 ", "2 ", "64 ", "65 ", "69 ", "77 "] {
            assert!(help.contains(&format!("\n  {code}")), "{code} in {help}");
        }
    }
}
