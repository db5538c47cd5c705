//! `tidings send`

mod ndjson;

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use contract_notifications_v1::{Notification, NotificationId, Payload, UserId, WhenOffline};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use shared_ports::{Clock as _, SystemClock};
use tidings_client::{ClientError, Gateway, Outcome, Problem};
use uuid::Uuid;

use self::ndjson::NdjsonReader;
use super::exit::of_client_error;
use super::output::OutputError;
use super::{Exit, Globals, Output, Tone};

/// Send one notification, or many from a file
///
/// Each line of a file is a JSON object: {"userId": …, "payload": …} or {"userId": …, "message": …}. Optional
/// fields are "id", "kind", "source", "sentAt", "expiresAt" and "whenOffline".
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["user", "file"]).required(true))]
pub(super) struct Send {
    /// User to send to
    #[arg(requires = "payload")]
    user: Option<UserId>,
    /// Payload: a JSON value, or any text with --text
    #[arg(allow_negative_numbers = true)]
    payload: Option<String>,
    /// Send each line of this file as a notification; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["payload", "text", "id", "kind", "source", "when_offline", "expires_in"])]
    file: Option<PathBuf>,
    /// Send the payload as text rather than JSON
    #[arg(long)]
    text: bool,
    /// Id of the notification; only the first notification with an id is delivered
    #[arg(long)]
    id: Option<NotificationId>,
    /// Kind of the notification
    #[arg(long)]
    kind: Option<Box<str>>,
    /// Source of the notification
    #[arg(long)]
    source: Option<Box<str>>,
    /// Handling while the user is offline
    #[arg(long, value_enum, default_value_t)]
    when_offline: Offline,
    /// Do not deliver the notification after this number of seconds
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Offline {
    /// Keep the notification until the user connects
    #[default]
    Hold,
    /// Drop the notification
    Drop,
}

/// Outcomes of a file's lines.
#[derive(Debug, Default, Serialize)]
struct Summary {
    accepted: u64,
    duplicates: u64,
    refused: u64,
    unknown: u64,
}

/// A refused line.
#[derive(Serialize)]
struct BadLine<'a> {
    line: u64,
    error: &'a Problem,
}

impl Send {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let gateway = globals.gateway()?;
        match self.file.clone() {
            Some(file) => send_file(&gateway, file, output).await,
            None => self.send_one(&gateway, output).await,
        }
    }

    fn notification(self) -> anyhow::Result<Notification> {
        let (Some(user_id), Some(payload)) = (self.user, self.payload) else {
            anyhow::bail!("no notification; pass a user and a payload, or --file");
        };
        let payload = if self.text {
            Payload::from_value(&payload)?
        } else {
            Payload::from_json(&payload).map_err(|error| {
                let problem = format!("the payload is not JSON: {error}; to send plain text, pass --text");
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, problem)
            })?
        };
        let now = SystemClock.now();
        Ok(Notification {
            id: self.id.map_or_else(new_id, Ok)?,
            user_id,
            payload,
            sent_at: now,
            expires_at: self.expires_in.map(|seconds| now.plus(Duration::from_secs(seconds))),
            when_offline: match self.when_offline {
                Offline::Hold => WhenOffline::Hold,
                Offline::Drop => WhenOffline::Drop,
            },
            kind: self.kind,
            source: self.source,
        })
    }

    async fn send_one(self, gateway: &Gateway, output: &mut Output) -> anyhow::Result<Exit> {
        let notification = self.notification()?;
        let accepted = gateway.send(&notification).await?;
        output.result(&accepted, |output| {
            let verdict = if accepted.duplicate {
                output.paint(Tone::Warning, "duplicate")
            } else {
                output.paint(Tone::Good, "accepted")
            };
            format!("{verdict}  {}  sequence {}", accepted.id, accepted.sequence.number())
        })?;
        Ok(Exit::Ok)
    }
}

fn new_id() -> anyhow::Result<NotificationId> {
    Ok(NotificationId::new(Uuid::now_v7().to_string())?)
}

async fn send_file(gateway: &Gateway, file: PathBuf, output: &mut Output) -> anyhow::Result<Exit> {
    let (reader, size): (Box<dyn BufRead + std::marker::Send>, _) = if file.as_os_str() == "-" {
        (Box::new(BufReader::new(stdin())), None)
    } else {
        let open = || format!("{} could not be opened", file.display());
        let opened = File::open(&file).with_context(open)?;
        let size = opened.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
        (Box::new(BufReader::new(opened)), size)
    };
    let bar = progress_bar(size, output);
    let mut lines = NdjsonReader::new(reader);
    let mut summary = Summary::default();
    let mut failure = None;
    let mut unreadable = None;
    while failure.is_none() {
        let chunk = match lines.chunk(&bar) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                unreadable = Some(error);
                break;
            }
        };
        for (line, problem) in chunk.refused {
            summary.refused += 1;
            bar.suspend(|| report_refusal(line, &problem, output))?;
        }
        let outcomes = gateway.send_many(&chunk.notifications, |_| {}).await;
        for (line, outcome) in chunk.lines.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Accepted(accepted) if accepted.duplicate => summary.duplicates += 1,
                Outcome::Accepted(_) => summary.accepted += 1,
                Outcome::Refused(problem) => {
                    summary.refused += 1;
                    bar.suspend(|| report_refusal(line, &problem, output))?;
                }
                Outcome::Unknown(error) => {
                    summary.unknown += 1;
                    failure = Some((line, error));
                    break;
                }
            }
        }
    }
    bar.finish_and_clear();
    let exit = finish(&summary, failure.as_ref().map(|(line, error)| (*line, error.as_ref())), output)?;
    match unreadable {
        Some(error) => {
            Err(error).with_context(|| format!("the file could not be read after line {}", lines.lines()))
        }
        None => Ok(exit),
    }
}

fn report_refusal(line: u64, problem: &Problem, output: &mut Output) -> Result<(), OutputError> {
    output.result(&BadLine { line, error: problem }, |output| {
        format!("{}  line {line}  {problem}", output.paint(Tone::Bad, "refused"))
    })
}

fn finish(
    summary: &Summary,
    failure: Option<(u64, &ClientError)>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    output.result(summary, |output| {
        let tone = if summary.refused == 0 { Tone::Dim } else { Tone::Bad };
        format!(
            "{} {}  {} {}  {} {}",
            output.paint(Tone::Good, "accepted"),
            summary.accepted,
            output.paint(Tone::Dim, "duplicate"),
            summary.duplicates,
            output.paint(tone, "refused"),
            summary.refused,
        )
    })?;
    let Some((line, error)) = failure else {
        return Ok(if summary.refused == 0 { Exit::Ok } else { Exit::Failure });
    };
    let text = format!(
        "stopped at line {line}, which may be accepted or not: {}; \
         lines with an \"id\" can be sent again safely",
        shared_telemetry::chain(error)
    );
    let label = output.paint(Tone::Bad, "error:");
    let value = serde_json::json!({ "error": text, "line": line });
    output.note_either(&value, format!("{label} {text}"));
    Ok(of_client_error(error))
}

fn progress_bar(size: Option<u64>, output: &Output) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Cli;

    #[test]
    fn one_notification_or_a_file_is_taken() {
        for good in [
            &["send", "jo", "{}"][..],
            &["send", "jo", "hello", "--text", "--kind", "k", "--when-offline", "drop"],
            &["send", "jo", "-1"],
            &["send", "jo", "-1.5e3"],
            &["send", "--file", "x"],
            &["send", "-f", "-"],
        ] {
            Cli::try_parse_from(["tidings"].iter().chain(good)).unwrap();
        }
        for bad in
            [&["send"][..], &["send", "jo"], &["send", "jo", "{}", "--file", "x"], &["send", " jo", "{}"]]
        {
            assert!(Cli::try_parse_from(["tidings"].iter().chain(bad)).is_err(), "{bad:?}");
        }
    }
}
