//! Exit codes of the program.

use std::process::ExitCode;

use tidings_client::ClientError;
use tidings_gateway::app::BuildError;
use tidings_store::OpenError;

use crate::aws::{CredentialsError, QueueError};
use crate::private_files::OpenToOthers;

use super::output::OutputError;

/// Exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Ok,
    /// Complete or partial failure.
    Failure,
    /// Wrong arguments.
    Usage,
    /// The configuration is wrong.
    Configuration,
    /// The store is damaged or incomplete.
    Damaged,
    /// The server does not answer.
    Unreachable,
    /// The output can't be written.
    Output,
    /// Not authorised.
    NotAuthorised,
}

impl Exit {
    /// All exit codes, in ascending order.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Configuration,
        Self::Damaged,
        Self::Unreachable,
        Self::Output,
        Self::NotAuthorised,
    ];

    /// Returns the exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Configuration => 64,
            Self::Damaged => 65,
            Self::Unreachable => 69,
            Self::Output => 74,
            Self::NotAuthorised => 77,
        }
    }

    /// Returns the meaning of the code, for the help and the reference.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "success",
            Self::Failure => "complete or partial failure",
            Self::Usage => "wrong arguments",
            Self::Configuration => "wrong configuration",
            Self::Damaged => "damaged or incomplete store",
            Self::Unreachable => "the server does not answer",
            Self::Output => "the output can't be written",
            Self::NotAuthorised => "not authorised",
        }
    }

    /// Returns advice for people who get the code, as Markdown for the reference.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Ok => "Nothing.",
            Self::Failure => "Read the error on standard error. With `--json` it is a JSON object.",
            Self::Usage => "Compare the arguments with `tidings COMMAND --help`.",
            Self::Configuration => {
                "Correct the settings that the error names, and run `tidings config check`."
            }
            Self::Damaged => {
                "Follow [Repair a store that does not open](../how-to/storage-repair.md). `tidings store check` lists \
                 the damage."
            }
            Self::Unreachable => "Check that the server runs and that `--url` is its address, and try again.",
            Self::Output => {
                "Make space on the disk, or keep the reader of the pipe open. Without a message, the reader has closed \
                 the pipe, as `head` does."
            }
            Self::NotAuthorised => "Pass a valid API key, password or JSON Web Token.",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Returns the list of exit codes for the help.
pub(super) fn help() -> String {
    let codes = Exit::ALL.map(|exit| format!("  {:<2}  {}", exit.code(), exit.meaning()));
    format!("Exit codes:\n{}", codes.join("\n"))
}

/// An error of the configuration, which ends the program with [`Exit::Configuration`].
#[derive(Debug, thiserror::Error)]
#[error("the configuration is wrong")]
pub struct BadConfiguration(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Returns the exit code of an error.
pub(super) fn classify(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| {
            if cause.is::<BadConfiguration>() || cause.is::<OpenToOthers>() {
                return Some(Exit::Configuration);
            }
            match cause.downcast_ref() {
                Some(BuildError::Store(OpenError::Damaged { .. })) => return Some(Exit::Damaged),
                Some(BuildError::SharedSecret(_) | BuildError::Tls(_) | BuildError::NotADirectory { .. }) => {
                    return Some(Exit::Configuration);
                }
                _ => {}
            }
            if cause.is::<clap::Error>() {
                return Some(Exit::Usage);
            }
            if cause.is::<OutputError>() {
                return Some(Exit::Output);
            }
            if cause.is::<CredentialsError>() {
                return Some(Exit::NotAuthorised);
            }
            match cause.downcast_ref() {
                Some(QueueError::Unreachable { .. } | QueueError::Unavailable { .. }) => {
                    return Some(Exit::Unreachable);
                }
                Some(QueueError::NotAuthorised { .. }) => return Some(Exit::NotAuthorised),
                _ => {}
            }
            Some(of_client_error(cause.downcast_ref()?))
        })
        .unwrap_or(Exit::Failure)
}

/// Returns the exit code of a client's error.
pub(super) const fn of_client_error(error: &ClientError) -> Exit {
    match error {
        ClientError::Unreachable { .. } | ClientError::Unavailable { .. } => Exit::Unreachable,
        ClientError::Unauthorised(_) => Exit::NotAuthorised,
        ClientError::Address { .. } => Exit::Usage,
        ClientError::Refused(_) | ClientError::Answer { .. } => Exit::Failure,
    }
}

/// Returns true if the reader of the output has gone, as in `tidings … | head`, and nothing else is to be said.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    // An error with a context explains what the closed pipe means for the command.
    error.chain().len() <= 2 && error.downcast_ref().is_some_and(OutputError::is_broken_pipe)
}

#[cfg(test)]
mod tests {
    use std::io;

    use tidings_client::Problem;

    use super::*;

    #[test]
    fn errors_determine_the_exit_code() {
        let client = |error: ClientError| classify(&anyhow::Error::from(error).context("while sending"));
        let unreachable = ClientError::Unreachable { url: "u".into(), source: "no".into() };
        assert_eq!(client(unreachable).code(), 69);
        assert_eq!(client(ClientError::Unauthorised(Problem::default())).code(), 77);
        assert_eq!(client(ClientError::Refused(Problem::default())).code(), 1);
        assert_eq!(client(ClientError::Address { found: "x".into() }).code(), 2);
        assert_eq!(classify(&BadConfiguration("listen".into()).into()).code(), 64);
        assert_eq!(classify(&anyhow::anyhow!("other")).code(), 1);
        let output = |kind| anyhow::Error::from(OutputError::from(io::Error::from(kind)));
        assert!(is_broken_pipe(&output(io::ErrorKind::BrokenPipe)));
        assert!(!is_broken_pipe(&output(io::ErrorKind::StorageFull)));
        assert!(!is_broken_pipe(&output(io::ErrorKind::BrokenPipe).context("not acknowledged")));
        assert_eq!(classify(&output(io::ErrorKind::BrokenPipe).context("not acknowledged")).code(), 74);
    }
}
