//! How the program ends.
use std::io;
use std::process::ExitCode;

use tidings_client::ClientError;
use tidings_gateway::app::BuildError;
use tidings_store::OpenError;

/// The exit codes, for the help.
pub(super) const HELP: &str = "\
Exit codes:
  0   done
  1   failed, or only in part done
  2   wrong arguments
  64  the configuration is wrong
  65  the store is damaged
  69  the server does not answer
  77  not authorised";

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Failed, or only in part done.
    Failure,
    /// Wrong arguments.
    Usage,
    /// The configuration is wrong.
    Configuration,
    /// The store is damaged.
    Damaged,
    /// The server does not answer.
    Unreachable,
    /// Not authorised.
    NotAuthorised,
}

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Configuration => 64,
            Self::Damaged => 65,
            Self::Unreachable => 69,
            Self::NotAuthorised => 77,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Marks an error as one of the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is wrong")]
pub struct BadConfiguration(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The exit code an error calls for.
pub(super) fn classify(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| {
            if cause.is::<BadConfiguration>() {
                return Some(Exit::Configuration);
            }
            if let Some(BuildError::Store(OpenError::Damaged { .. })) = cause.downcast_ref() {
                return Some(Exit::Damaged);
            }
            if cause.is::<clap::Error>() {
                return Some(Exit::Usage);
            }
            Some(of_client_error(cause.downcast_ref()?))
        })
        .unwrap_or(Exit::Failure)
}

/// The exit code a client's error calls for.
pub(super) const fn of_client_error(error: &ClientError) -> Exit {
    match error {
        ClientError::Unreachable { .. } | ClientError::Unavailable { .. } => Exit::Unreachable,
        ClientError::Unauthorised(_) => Exit::NotAuthorised,
        ClientError::Address { .. } => Exit::Usage,
        ClientError::Refused(_) | ClientError::Answer { .. } => Exit::Failure,
    }
}

/// Whether whoever read our output has gone, which is no error of ours.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    // Only our own output fails with a bare I/O error; the network's are wrapped.
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_client::Problem;

    #[test]
    fn errors_are_told_apart() {
        let client = |error: ClientError| classify(&anyhow::Error::from(error).context("while sending"));
        let unreachable = ClientError::Unreachable { url: "u".into(), source: "no".into() };
        assert_eq!(client(unreachable).code(), 69);
        assert_eq!(client(ClientError::Unauthorised(Problem::default())).code(), 77);
        assert_eq!(client(ClientError::Refused(Problem::default())).code(), 1);
        assert_eq!(client(ClientError::Address { found: "x".into() }).code(), 2);
        assert_eq!(classify(&BadConfiguration("listen".into()).into()).code(), 64);
        assert_eq!(classify(&anyhow::anyhow!("other")).code(), 1);
        assert!(is_broken_pipe(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
    }
}
