//! Structured logs, for people or for programs, and what must never stand in them; and what a process uses.
//!
//! Secrets, tokens and payloads are never logged. User ids are not either: a log that has to tell users
//! apart has [`user_hash`] of them.

pub mod process;

use std::error::Error;
use std::fmt;

use contract_notifications_v1::UserId;
use sha2::{Digest as _, Sha256};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, fmt as format};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Why logging can't begin.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is not valid.
    #[error("the log filter {filter:?} is not valid")]
    Filter {
        /// What was asked for.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// The process logs already.
    #[error("the process has a logger already")]
    Twice(#[from] TryInitError),
}

/// Whether a filter is valid: a level such as `info`, or levels by module such as `info,tidings=debug`.
///
/// # Errors
/// [`InitError::Filter`] when it is not.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, InitError> {
    EnvFilter::try_new(filter).map_err(|source| InitError::Filter { filter: filter.to_owned(), source })
}

/// Begins to log to standard error. A panic is logged like any other error.
///
/// # Errors
/// [`InitError`]; then nothing has changed.
pub fn init(log_format: Format, filter: &str) -> Result<(), InitError> {
    let builder = format().with_env_filter(parse_filter(filter)?).with_writer(std::io::stderr);
    match log_format {
        Format::Human => builder.finish().try_init()?,
        Format::Json => builder.json().flatten_event(true).with_span_list(false).finish().try_init()?,
    }
    log_panics();
    Ok(())
}

/// The place of a panic, and not its message, which may quote what it was about.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "panicked");
        before(panic);
    }));
}

/// An error and its causes in one line, for a log or a terminal; a JSON log would leave the causes out.
pub fn chain(error: &dyn Error) -> String {
    join(std::iter::successors(Some(error), |error: &&dyn Error| (*error).source()))
}

/// Errors of which each is caused by the next in one line, each text said once.
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

/// Stands for a user in logs: the first twelve digits of the SHA-256 of the id. It tells users apart and
/// is found again by hashing a known id.
pub fn user_hash(user: &UserId) -> impl fmt::Display + use<> {
    hex::encode(&Sha256::digest(user.as_str())[..6])
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_user_is_a_short_hash() {
        let user = UserId::new("jo").unwrap();
        let hash = user_hash(&user).to_string();
        assert_eq!(hash, "c278ec5a69c3");
        assert_ne!(hash, user_hash(&UserId::new("ann").unwrap()).to_string());
    }

    #[test]
    fn an_error_is_told_with_its_causes_each_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the port failed")]
        struct Port(#[source] io::Error);

        let refused = || io::Error::other("refused by its role");
        assert_eq!(chain(&Port(refused())), "the port failed: refused by its role");
        assert_eq!(chain(&refused()), "refused by its role");
    }

    #[test]
    fn filters_are_checked() {
        assert!(parse_filter("info,tidings=debug").is_ok());
        let error = parse_filter("tidings=loud").unwrap_err().to_string();
        assert!(error.contains("tidings=loud"), "{error}");
    }
}
