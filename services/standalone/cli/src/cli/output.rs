//! Output of the program: results to standard output, notes about them to standard error.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;

use serde::Serialize;

/// Meaning of a text, shown as a colour on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Success.
    Good,
    /// Failure.
    Bad,
    /// Warning.
    Warning,
    /// Main text.
    Strong,
    /// Secondary text.
    Dim,
}

/// The results could not be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output could not be written")]
pub struct OutputError(#[from] io::Error);

impl OutputError {
    /// Returns true if the reader of the output has gone, as in `tidings … | head`.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// The program's two streams: results, and notes about them.
pub struct Output {
    results: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    json: bool,
    colour: bool,
    terminal: bool,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("json", &self.json).finish_non_exhaustive()
    }
}

impl Output {
    /// Writes to standard output and standard error, in colour on a terminal unless `NO_COLOR` is set.
    pub fn process(json: bool) -> Self {
        let terminals = io::stdout().is_terminal() && io::stderr().is_terminal();
        Self {
            results: standard_output(),
            notes: Box::new(io::stderr()),
            json,
            colour: !json && terminals && shared_telemetry::is_colour_allowed(),
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Writes to other streams, without colour.
    pub fn to(results: impl Write + Send + 'static, notes: impl Write + Send + 'static, json: bool) -> Self {
        Self { results: Box::new(results), notes: Box::new(notes), json, colour: false, terminal: false }
    }

    /// Returns true if the output is for programs.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Returns true if standard error is a terminal and the output is for people.
    pub const fn shows_progress(&self) -> bool {
        self.terminal && !self.json
    }

    /// Returns the text in the tone's colour, if there are colours.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Warning => "33",
            Tone::Strong => "1",
            Tone::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Writes a line of results.
    ///
    /// # Errors
    /// `OutputError` if the line was not written and flushed.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), OutputError> {
        let mut line = Vec::from(text.as_ref());
        line.push(b'\n');
        // One write, so that lines of several processes do not mix.
        self.results.write_all(&line)?;
        Ok(self.results.flush()?)
    }

    /// Writes a JSON text as one line, whatever its white space.
    pub fn json_line(&mut self, json: &str) -> Result<(), OutputError> {
        // JSON has line breaks between its tokens only.
        self.line(json.replace(['\n', '\r'], " "))
    }

    /// Writes a value as a line of JSON.
    pub fn value(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        let json = serde_json::to_string(value).map_err(io::Error::from)?;
        self.json_line(&json)
    }

    /// Writes a result: `text` for people, `value` for programs.
    pub fn result(
        &mut self,
        value: &impl Serialize,
        text: impl FnOnce(&Self) -> String,
    ) -> Result<(), OutputError> {
        if self.json {
            return self.value(value);
        }
        let text = text(self);
        self.line(text)
    }

    /// Writes a note.
    pub fn note(&mut self, text: impl AsRef<str>) {
        // An error can't be reported, since this is the stream for reports.
        let _ = writeln!(self.notes, "{}", text.as_ref()).and_then(|()| self.notes.flush());
    }

    /// Writes a note: `text` for people, `value` for programs.
    pub fn note_either(&mut self, value: &impl Serialize, text: impl AsRef<str>) {
        if self.json {
            self.note(serde_json::to_string(value).unwrap_or_default());
        } else {
            self.note(text);
        }
    }

    /// Writes a warning.
    pub fn warn(&mut self, text: &str) {
        let painted = self.paint(Tone::Warning, &format!("warning: {text}"));
        self.note_either(&serde_json::json!({ "type": "warning", "message": text }), painted);
    }

    /// Writes an error with its causes.
    pub fn error(&mut self, error: &anyhow::Error) {
        let mut causes = error.chain().map(describe);
        if self.json {
            let error = causes.next().unwrap_or_default();
            let value = ErrorObject { error, causes: causes.collect() };
            return self.note(serde_json::to_string(&value).unwrap_or_default());
        }
        let label = self.paint(Tone::Bad, "error:");
        self.note(format!("{label} {}", shared_telemetry::join(causes)));
    }
}

/// An error as programs read it.
#[derive(Serialize)]
struct ErrorObject {
    error: String,
    causes: Vec<String>,
}

/// Describes one cause of an error without the terms of the system and of libraries.
fn describe(cause: &(dyn std::error::Error + 'static)) -> String {
    if let Some(error) = cause.downcast_ref::<clap::Error>() {
        return describe_usage(error);
    }
    if let Some(text) = cause.downcast_ref().and_then(describe_io) {
        return text.to_owned();
    }
    let text = cause.to_string();
    match text.split_once(" (os error ") {
        Some((before, after)) => format!("{before}{}", after.split_once(')').map_or("", |(_, rest)| rest)),
        None => text.trim_end().to_owned(),
    }
}

/// Describes an error of the system that the user can do something about.
fn describe_io(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::NotFound => "it does not exist",
        io::ErrorKind::PermissionDenied => "this user has no permission for it",
        io::ErrorKind::IsADirectory => "it is a directory",
        io::ErrorKind::AddrInUse => {
            "another program listens there; stop it, or choose another address with --listen"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have this address; choose another one with --listen"
        }
        io::ErrorKind::StorageFull => "the disk is full",
        io::ErrorKind::BrokenPipe => "its reader has closed it",
        _ => return None,
    })
}

/// Returns the message of wrong arguments, without the usage that follows it for people.
fn describe_usage(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let message = text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more").next());
    message.unwrap_or(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns standard output without the library's handling of it, which buffers lines and reports success for
/// a stream that is not open for writing.
fn standard_output() -> Box<dyn Write + Send> {
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(stream) => Box::new(File::from(stream)),
        // The process has no free file descriptor.
        Err(_) => Box::new(io::stdout()),
    }
}

/// Returns true for characters that control the terminal, or the direction of the text around them (Unicode Annex 9).
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escapes the characters of a foreign text that control how it is shown.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|c| if is_control(c) { c.escape_unicode().to_string() } else { c.into() });
    Cow::Owned(shown.collect())
}

/// Returns rows as lines with aligned columns.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = if column + 1 == row.len() { 0 } else { widths[column] };
            format!("{cell:<width$}")
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Formats the time of day, UTC, to the millisecond.
pub(crate) fn time_of_day(millis: u64) -> String {
    format_utc(millis, "%H:%M:%S.%3f")
}

/// Formats a date and time, UTC, to the second.
pub(crate) fn date_and_time(millis: u64) -> String {
    format_utc(millis, "%Y-%m-%d %H:%M:%S")
}

fn format_utc(millis: u64, format: &str) -> String {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".to_owned(), "bbb".into(), "x".into()], vec!["aaaa".into(), "é".into()]];
        assert_eq!(columns(&rows), "a     bbb  x\naaaa  é");
    }

    #[test]
    fn json_takes_one_line() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut output = Output::to(writer, io::sink(), true);
        output.json_line("{\r\n  \"a\": \"\\n\"\n}").unwrap();
        drop(output);
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "{    \"a\": \"\\n\" }\n");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escape_controls("a\x1b[2Jb\u{9b}\n"), "a\\u{1b}[2Jb\\u{9b}\\u{a}");
        assert_eq!(escape_controls("a\u{7f}\u{202e}b"), "a\\u{7f}\\u{202e}b");
        assert!(matches!(escape_controls("plain é"), Cow::Borrowed(_)));
    }

    #[test]
    fn causes_appear_once() {
        let error = anyhow::anyhow!("inner").context("middle: inner").context("outer");
        assert_eq!(shared_telemetry::join(error.chain()), "outer: middle: inner");
    }

    #[test]
    fn causes_have_no_terms_of_the_system() {
        let system = |number| io::Error::from_raw_os_error(number);
        assert_eq!(describe(&system(98)), describe_io(&system(98)).unwrap());
        assert!(!describe(&system(5)).contains("os error"), "{}", describe(&system(5)));
        let nested = io::Error::other(format!("x: {} y", system(5)));
        assert_eq!(describe(&nested), "x: Input/output error y");
        let usage = super::super::Cli::command().try_get_matches_from(["tidings", "send", "--fle", "x"]);
        let described = describe(&usage.unwrap_err());
        assert_eq!(described, "unexpected argument '--fle' found tip: a similar argument exists: '--file'");
    }

    #[test]
    fn times_are_in_utc() {
        assert_eq!(date_and_time(0), "1970-01-01 00:00:00");
        assert_eq!(date_and_time(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(date_and_time(1_767_225_599_999), "2025-12-31 23:59:59");
        assert_eq!(time_of_day(1_767_225_600_000 + 3_723_004), "01:02:03.004");
    }
}
