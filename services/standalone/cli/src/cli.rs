//! The command line. Each command has a file; all output goes through [`Output`].

mod bench;
mod completions;
mod config;
mod cost;
mod demo;
mod dlq;
mod exit;
mod key;
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
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Command as Program, CommandFactory as _, Parser, Subcommand};
use serde::de::DeserializeOwned;
use tidings_client::{CertificateAuthorities, Gateway, Stack};
use tidings_gateway::config::{UnknownVariable, unknown_variables};
use tidings_identity::credentials::API_KEY_FILE;

use crate::hidden_secrets;

pub use exit::{BadConfiguration, Exit};
pub use output::{Output, Tone};

/// Default address of the server.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Default data directory of a server.
pub(crate) const DEFAULT_DATA_DIR: &str = "tidings-data";

/// Attempts of a request: enough for a short outage, few enough for a person to wait.
const ATTEMPTS: u32 = 4;

/// Version of the program, with the commit it was built from.
const VERSION: &str = env!("TIDINGS_VERSION");

/// Tidings delivers notifications to users' open browser tabs and devices, in order, and keeps them while a
/// user is offline.
#[derive(Debug, Parser)]
#[command(name = "tidings", version = VERSION, after_help = exit::help(), max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    /// The command. Without one, the program shows its help.
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
    /// File with the API key of the server [default: `api-key` in the data directory; `TIDINGS_API_KEY` has a key itself]
    #[arg(long, global = true, env = "TIDINGS_API_KEY_FILE", value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// API key of the server, which other users of the machine can see
    #[arg(
        long,
        global = true,
        env = "TIDINGS_API_KEY",
        hide_env_values = true,
        value_name = "KEY",
        hide = true
    )]
    api_key: Option<String>,
    /// Trust the certificate authorities in this PEM file too
    #[arg(long, global = true, env = "TIDINGS_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Data directory of a server on this machine [default: `tidings-data`]
    #[arg(long, global = true, env = "TIDINGS_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print JSON for programs, one object on each line
    #[arg(long, global = true)]
    json: bool,
    /// Origin of the API key that a command used, for the hint in its error.
    #[arg(skip)]
    key_origin: Cell<KeyOrigin>,
}

/// Origin of an API key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum KeyOrigin {
    /// The command used no API key.
    #[default]
    Unused,
    /// The file in the data directory.
    File,
    /// The variable `TIDINGS_API_KEY`, or the option `--api-key`.
    Option,
    /// There was no API key.
    Missing,
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
    Key(key::Key),
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    #[command(subcommand)]
    Bench(bench::Bench),
    #[command(subcommand)]
    Store(store::Store),
    #[command(subcommand)]
    Config(config::Config),
    Cost(cost::Cost),
    Completions(completions::Completions),
    Man(completions::Man),
    #[command(subcommand, hide = true)]
    Reference(reference::Reference),
}

impl Command {
    /// Returns true for commands that read a server's configuration, which report unknown variables themselves.
    const fn is_of_server(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Config(_) | Self::Store(_))
    }
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
        let path = self.api_key_file();
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("the API key in {} can't be read", path.display()))?,
        };
        let key = text.trim();
        anyhow::ensure!(
            !key.is_empty(),
            "no API key at {}; pass --api-key-file or --data-dir",
            path.display()
        );
        Ok(key.to_owned())
    }

    fn api_key_file(&self) -> PathBuf {
        self.api_key_file.clone().unwrap_or_else(|| self.data_dir().join(API_KEY_FILE))
    }

    /// Returns the certificate authorities of `--ca-file`, if it is given.
    fn certificate_authorities(&self) -> anyhow::Result<Option<CertificateAuthorities>> {
        let Some(path) = &self.ca_file else { return Ok(None) };
        let failed = || format!("the certificates in {} can't be used", path.display());
        let pem = std::fs::read(path).with_context(failed)?;
        Ok(Some(CertificateAuthorities::with_pem(&pem).with_context(failed)?))
    }

    /// Applies the common options to a gateway.
    fn prepare(&self, gateway: Gateway) -> anyhow::Result<Gateway> {
        let gateway = gateway.with_attempts(ATTEMPTS);
        Ok(match self.certificate_authorities()? {
            Some(trusted) => gateway.with_certificate_authorities(&trusted)?,
            None => gateway,
        })
    }

    /// Returns the server with the API key, if there is one: a server may do without.
    fn gateway(&self) -> anyhow::Result<Gateway> {
        let gateway = self.anonymous_gateway()?;
        let Ok(key) = self.api_key() else {
            self.key_origin.set(KeyOrigin::Missing);
            return Ok(gateway);
        };
        self.key_origin.set(if self.api_key.is_some() { KeyOrigin::Option } else { KeyOrigin::File });
        Ok(gateway.with_api_key(key))
    }

    /// Returns the server without an API key.
    fn anonymous_gateway(&self) -> anyhow::Result<Gateway> {
        if self.stack.is_some() {
            let problem = "--stack works with `listen --jwt`, `token --jwt` and `dlq` only: a deployment on AWS \
                           has no API key, and producers send to its queue or its producer API";
            return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, problem).into());
        }
        self.prepare(Gateway::new(self.url())?)
    }

    /// Returns the server or the deployment on AWS, for requests with a JSON Web Token.
    fn gateway_by_jwt(&self) -> anyhow::Result<Gateway> {
        let Some(path) = &self.stack else { return self.anonymous_gateway() };
        self.prepare(Gateway::of_stack(&stack_outputs::<Stack>(path)?)?)
    }
}

/// Reads outputs of a stack from its file.
fn stack_outputs<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} does not contain the outputs of a stack", path.display()))
}

/// Runs the program with the process's arguments and streams.
pub fn main() -> ExitCode {
    if let Some(hidden) = hidden_secrets::hide(std::env::args_os().skip(1)) {
        let mut output = Output::process(json_is_requested(std::env::args_os()));
        hidden.warnings().for_each(|warning| output.warn(&warning));
        hidden.restart();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && json_is_requested(std::env::args_os()) => {
            return finish(Err(error.into()), &mut Output::process(true));
        }
        Err(error) => error.exit(),
    };
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

/// Returns true if the arguments, which can't be parsed, ask for JSON.
fn json_is_requested(arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

fn run(cli: Cli, output: &mut Output) -> anyhow::Result<Exit> {
    let Cli { globals, command } = cli;
    let Some(command) = command else { return no_command(output) };
    if !command.is_of_server() {
        for unknown in unknown_client_variables() {
            output.warn(&unknown.to_string());
        }
    }
    let result = match command {
        Command::Serve(command) => command.run(&globals, output),
        Command::Bench(command) => command.run(&globals, output),
        Command::Config(command) => command.run(&globals, output),
        Command::Store(command) => command.run(&globals, output),
        Command::Cost(command) => command.run(&globals, output),
        Command::Reference(command) => command.run(Cli::command(), output),
        Command::Completions(command) => command.run(Cli::command(), output),
        Command::Man(command) => command.run(Cli::command(), output),
        Command::Demo(command) => block_on(command.run(output)),
        Command::Token(command) => block_on(command.run(&globals, output)),
        Command::Listen(command) => block_on(command.run(&globals, output)),
        Command::Send(command) => block_on(command.run(&globals, output)),
        Command::User(command) => block_on(command.run(&globals, output)),
        Command::Key(command) => block_on(command.run(&globals, output)),
        Command::Dlq(command) => block_on(command.run(&globals, output)),
    };
    result.map_err(|error| {
        if exit::classify(&error) == Exit::NotAuthorised { explain_refusal(error, &globals) } else { error }
    })
}

/// Shows the help instead of a command.
fn no_command(output: &mut Output) -> anyhow::Result<Exit> {
    let mut program = Cli::command();
    if output.is_json() {
        let problem = "there is no command; `tidings --help` lists the commands";
        return Err(clap::Error::raw(clap::error::ErrorKind::MissingSubcommand, problem).into());
    }
    output.note(program.render_help().to_string().trim_end());
    Ok(Exit::Usage)
}

/// Adds the origin of the refused API key to an error. A server may do without API keys, so a missing key is reported
/// only if the server insists on one.
fn explain_refusal(error: anyhow::Error, globals: &Globals) -> anyhow::Error {
    match (globals.key_origin.get(), globals.api_key()) {
        (KeyOrigin::Missing, Err(hint)) => {
            let hint = shared_telemetry::join(hint.chain());
            error.context(hint)
        }
        (KeyOrigin::File, _) => {
            let file = globals.api_key_file();
            error.context(format!(
                "the API key in {} is refused; pass --api-key-file or --data-dir",
                file.display()
            ))
        }
        _ => error,
    }
}

/// Names of the environment variables that the options of the program have.
fn option_variables() -> Vec<String> {
    fn collect(program: &Program, names: &mut Vec<String>) {
        let variables = program.get_arguments().filter_map(|argument| argument.get_env());
        names.extend(variables.map(|name| name.to_string_lossy().into_owned()));
        program.get_subcommands().for_each(|command| collect(command, names));
    }
    let mut names = Vec::new();
    collect(&Cli::command(), &mut names);
    names
}

/// Returns the variables of the environment that begin with `TIDINGS_` and have no effect on any command.
fn unknown_environment() -> Vec<UnknownVariable> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    unknown_variables(names, &option_variables())
}

/// Returns the unknown variables that are meant for a client. Others may be a server's, such as its secrets.
fn unknown_client_variables() -> Vec<UnknownVariable> {
    let options = option_variables();
    let is_for_client =
        |unknown: &UnknownVariable| unknown.suggestion.as_ref().is_some_and(|name| options.contains(name));
    unknown_environment().into_iter().filter(is_for_client).collect()
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
        Err(error) if exit::is_broken_pipe(&error) => Exit::Output,
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
    fn json_is_recognised_before_the_arguments_are() {
        let requested = |arguments: &[&str]| json_is_requested(arguments.iter().map(OsString::from));
        assert!(requested(&["tidings", "nonsense", "--json"]));
        assert!(!requested(&["tidings", "send", "jo", "--", "--json"]));
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
        for code in ["0 ", "1 ", "2 ", "64 ", "65 ", "69 ", "74 ", "77 "] {
            assert!(help.contains(&format!("\n  {code}")), "{code} in {help}");
        }
    }
}
