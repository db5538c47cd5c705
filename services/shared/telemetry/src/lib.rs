//! Structured logs for people or for programs, and the resource usage of a [process](mod@process).
//!
//! Secrets, tokens, payloads and user ids are never logged. Where a log must distinguish users, it contains
//! their [`user_hash`].

pub mod process;

use std::error::Error;
use std::fmt;

use contract_notifications_v1::UserId;
use sha2::{Digest as _, Sha256};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, fmt as format};

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Coloured text for people.
    #[default]
    Human,
    /// One JSON object on each line.
    Json,
}

/// Errors of setting up the log.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is not valid.
    #[error("the log filter {filter:?} is not valid")]
    Filter {
        /// The filter.
        filter: String,
        /// The parser's error.
        #[source]
        source: ParseError,
    },
    /// The process already has a logger.
    #[error("the process has a logger already")]
    Twice(#[from] TryInitError),
}

/// Parses a log filter: a level such as `info`, or levels by module such as `info,tidings=debug`.
///
/// # Errors
/// [`InitError::Filter`] if the filter is not valid.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, InitError> {
    EnvFilter::try_new(filter).map_err(|source| InitError::Filter { filter: filter.to_owned(), source })
}

/// Starts to log to standard error, panics included.
///
/// # Errors
/// [`InitError`] if the filter is not valid or the process already has a logger. Nothing has changed then.
pub fn init(log_format: Format, filter: &str) -> Result<(), InitError> {
    let builder = format().with_env_filter(parse_filter(filter)?).with_writer(std::io::stderr);
    match log_format {
        Format::Human => builder.finish().try_init()?,
        Format::Json => builder.json().flatten_event(true).with_span_list(false).finish().try_init()?,
    }
    log_panics();
    Ok(())
}

/// Logs the location of each panic, but not its message, which may quote a payload or secret.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "panicked");
        before(panic);
    }));
}

/// Returns an error and its causes in one line, for a log or a terminal.
///
/// Log an error with this function: JSON logs omit the causes of a field of type `dyn Error`.
pub fn chain(error: &dyn Error) -> String {
    join(std::iter::successors(Some(error), |error: &&dyn Error| (*error).source()))
}

/// Joins errors, each caused by the next, in one line. A text that repeats the end of the line is left out.
pub fn join(causes: impl Iterator<Item = impl fmt::Display>) -> String {
    let mut text = String::new();
    for cause in causes {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// Returns the hash that stands for a user in logs: the first twelve hex digits of the SHA-256 of the id. To
/// find a user in a log, hash the id.
pub fn user_hash(user: &UserId) -> impl fmt::Display + use<> {
    hex::encode(&Sha256::digest(user.as_str())[..6])
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn user_hash_has_twelve_digits() {
        let user = UserId::new("jo").unwrap();
        let hash = user_hash(&user).to_string();
        assert_eq!(hash, "c278ec5a69c3");
        assert_ne!(hash, user_hash(&UserId::new("ann").unwrap()).to_string());
    }

    #[test]
    fn chain_has_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the port failed")]
        struct Port(#[source] io::Error);

        let refused = || io::Error::other("refused by its role");
        assert_eq!(chain(&Port(refused())), "the port failed: refused by its role");
        assert_eq!(chain(&refused()), "refused by its role");
    }

    #[test]
    fn invalid_filter_is_refused() {
        assert!(parse_filter("info,tidings=debug").is_ok());
        let error = parse_filter("tidings=loud").unwrap_err().to_string();
        assert!(error.contains("tidings=loud"), "{error}");
    }
}
