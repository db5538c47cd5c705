//! The command line. One file per command; everything is written through [`Output`].

mod bench;
mod config;
mod demo;
mod dlq;
mod exit;
mod host;
mod listen;
mod output;
mod secret;
mod send;
mod serve;
mod store;
mod token;
mod user;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use tidings_client::{Gateway, Stack};

pub use exit::{BadConfiguration, Exit};
pub use output::{Output, Tone};

/// Where a server is unless told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Where a server keeps its data unless told otherwise.
pub(crate) const DEFAULT_DATA_DIR: &str = "tidings-data";

/// Tries of a person's request: enough for a hiccup, few enough not to make them wait.
const ATTEMPTS: u32 = 4;

/// Tidings delivers notifications to people's open browser tabs and devices, in order, and keeps them when
/// nobody is there.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, about, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    /// What to do; `serve` when not said.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
struct Globals {
    #[arg(
        long,
        global = true,
        env = "TIDINGS_URL",
        value_name = "URL",
        help = "The server's address [default: http://127.0.0.1:8080]"
    )]
    url: Option<String>,
    /// A deployment on AWS instead: the file with its outputs, as `pulumi stack output --json` writes them
    #[arg(long, global = true, env = "TIDINGS_STACK", value_name = "FILE")]
    stack: Option<PathBuf>,
    /// The server's API key [default: the file `api-key` in the data directory]
    #[arg(long, global = true, env = "TIDINGS_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    /// Where a server on this machine keeps its data [default: tidings-data]
    #[arg(long, global = true, env = "TIDINGS_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Write for programs: one JSON object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// See the promises kept, on a server of its own that is gone afterwards
    Demo(demo::Demo),
    /// Get a token that opens one connection
    Token(token::Token),
    /// Receive a user's notifications
    Listen(listen::Listen),
    /// Send notifications
    Send(send::Send),
    /// Add users and log them in
    #[command(subcommand)]
    User(user::User),
    /// Look at what could not be delivered, and decide what becomes of it
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Measure a server's speed
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Look at a server's data while the server does not run, and repair it
    #[command(subcommand)]
    Store(store::Store),
    /// Check, show and explain the server's configuration
    #[command(subcommand)]
    Config(config::Config),
}

impl Globals {
    fn url(&self) -> &str {
        self.url.as_deref().unwrap_or(DEFAULT_URL)
    }

    fn data_dir(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new(DEFAULT_DATA_DIR))
    }

    /// The API key given, or the one a server on this machine left in its data directory.
    fn api_key(&self) -> Option<String> {
        self.api_key.clone().or_else(|| secret::read_api_key(self.data_dir()))
    }

    fn gateway(&self) -> anyhow::Result<Gateway> {
        let gateway = self.anonymous_gateway()?;
        Ok(match self.api_key() {
            Some(key) => gateway.with_api_key(key),
            None => gateway,
        })
    }

    fn anonymous_gateway(&self) -> anyhow::Result<Gateway> {
        if self.stack.is_some() {
            let problem = "with --stack there are `listen --jwt` and `token --jwt`: a deployment on AWS has no \
                           API key, and producers send to its queue or its producer API";
            return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, problem).into());
        }
        Ok(Gateway::new(self.url())?.with_attempts(ATTEMPTS))
    }

    /// The gateway for one who has a JSON Web Token: a server, or a deployment on AWS.
    fn gateway_by_jwt(&self) -> anyhow::Result<Gateway> {
        let Some(path) = &self.stack else { return self.anonymous_gateway() };
        let text = std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        let stack: Stack = serde_json::from_slice(&text)
            .with_context(|| format!("{} has no outputs of a stack", path.display()))?;
        Ok(Gateway::of_stack(&stack)?.with_attempts(ATTEMPTS))
    }
}

/// Runs the program on the process's arguments and streams.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::process(cli.globals.json);
    finish(run(cli, &mut output), &mut output)
}

/// Runs the program on other arguments and another output.
pub fn run_with<A: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = A>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    run(Cli::try_parse_from(arguments)?, output)
}

fn run(cli: Cli, output: &mut Output) -> anyhow::Result<Exit> {
    let Cli { globals, command } = cli;
    match command.unwrap_or_else(|| Command::Serve(serve::Serve::default())) {
        Command::Serve(command) => command.run(&globals, output),
        Command::Bench(command) => command.run(&globals, output),
        Command::Config(command) => command.run(&globals, output),
        Command::Store(command) => command.run(&globals, output),
        Command::Demo(command) => wait(command.run(output)),
        Command::Token(command) => wait(command.run(&globals, output)),
        Command::Listen(command) => wait(command.run(&globals, output)),
        Command::Send(command) => wait(command.run(&globals, output)),
        Command::User(command) => wait(command.run(&globals, output)),
        Command::Dlq(command) => wait(command.run(&globals, output)),
    }
}

fn wait(future: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let result = runtime.block_on(future);
    // A read of standard input can't be cancelled; the process ends all the same.
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
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serving_is_the_default() {
        assert!(Cli::try_parse_from(["tidings"]).unwrap().command.is_none());
    }

    #[test]
    fn common_options_may_stand_anywhere() {
        for arguments in [["tidings", "--json", "token", "jo"], ["tidings", "token", "jo", "--json"]] {
            assert!(Cli::try_parse_from(arguments).unwrap().globals.json);
        }
    }

    #[test]
    fn the_help_names_the_exit_codes() {
        let help = Cli::command().render_help().to_string();
        for code in ["0 ", "1 ", "2 ", "64 ", "65 ", "69 ", "77 "] {
            assert!(help.contains(&format!("\n  {code}")), "{code} in {help}");
        }
    }
}
