//! Structured logs for people or for programs, and the resource usage of a [process](mod@process).
//!
//! Secrets, tokens, payloads and user ids are never logged. Where a log must distinguish users, it contains
//! their [`user_hash`].

pub mod process;

use std::error::Error;
use std::fmt;
use std::io::{IsTerminal as _, stderr};
use std::str::FromStr as _;

use contract_notifications_v1::UserId;
use sha2::{Digest as _, Sha256};
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, fmt as format};

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text for people, coloured on a terminal.
    #[default]
    Human,
    /// One JSON object on each line.
    Json,
}

/// Errors of setting up the log.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A part of the filter is not a level.
    #[error(
        "{part:?} is not a log level; allowed are error, warn, info, debug, trace and off, or levels by module: \
         \"info,tidings=debug\""
    )]
    Level {
        /// The part.
        part: String,
    },
    /// The filter is not valid.
    #[error(
        "the log filter {filter:?} is not valid; an example of levels by module is \"info,tidings=debug\""
    )]
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
/// Modules without a level of their own log from `info` on, unless the filter has a level without a module.
///
/// # Errors
/// [`InitError::Level`] for a text that is not a level, and [`InitError::Filter`] for other mistakes.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, InitError> {
    // The parser takes any other word for a module, which silences all modules that exist.
    let mut parts: Vec<_> = filter.split(',').map(str::trim).collect();
    let mut levels = parts.iter().filter(|part| !part.contains('=')).peekable();
    let has_level = levels.peek().is_some();
    if let Some(part) = levels.find(|part| part.is_empty() || LevelFilter::from_str(part).is_err()) {
        return Err(InitError::Level { part: (*part).to_owned() });
    }
    if !has_level {
        parts.push("info");
    }
    EnvFilter::try_new(parts.join(","))
        .map_err(|source| InitError::Filter { filter: filter.to_owned(), source })
}

/// Returns true unless the environment forbids colours, by `NO_COLOR` or a terminal without them.
pub fn is_colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Starts to log to standard error, panics included.
///
/// # Errors
/// [`InitError`] if the filter is not valid or the process already has a logger. Nothing has changed then.
pub fn init(log_format: Format, filter: &str) -> Result<(), InitError> {
    let colours = stderr().is_terminal() && is_colour_allowed();
    let builder = format().with_env_filter(parse_filter(filter)?).with_writer(stderr).with_ansi(colours);
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
        for wrong in ["warning", "", "info,tidings", "tidings=debug,warning", "info,"] {
            let error = parse_filter(wrong).unwrap_err().to_string();
            assert!(error.contains("is not a log level; allowed are error, warn"), "{wrong}: {error}");
        }
    }

    #[test]
    fn modules_without_a_level_log_from_info_on() {
        let shown = |filter: &str| parse_filter(filter).unwrap().to_string();
        assert!(shown("tidings=debug").split(',').any(|part| part == "info"), "{}", shown("tidings=debug"));
        assert!(!shown("tidings=debug,OFF").contains("info"));
        assert!(parse_filter("WARN, tidings=trace").is_ok());
    }
}
