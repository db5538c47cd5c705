//! Secrets from where people keep them.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// The API key a server left in its data directory.
pub(super) fn read_api_key(data_dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join("api-key")).ok()?;
    let key = text.trim();
    (!key.is_empty()).then(|| key.to_owned())
}

/// A password: the first line of standard input when `from_stdin`, else asked for without echo.
pub(super) fn read_password(from_stdin: bool, twice: bool) -> anyhow::Result<String> {
    if from_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("standard input could not be read")?;
        let password = line.trim_end_matches(['\n', '\r']);
        if password.is_empty() {
            bail!("standard input holds no password");
        }
        return Ok(password.to_owned());
    }
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the password at; give it with --password-stdin");
    }
    let ask = |prompt| rpassword::prompt_password(prompt).context("the password could not be read");
    let password = ask("Password: ")?;
    if twice && password != ask("Once more: ")? {
        bail!("the two passwords differ");
    }
    Ok(password)
}

/// Asks a question whose answer is yes or no.
pub(super) fn confirm(question: &str, output: &mut super::Output) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask at; say --yes if it is meant");
    }
    output.note(format!("{question} [y/N]"));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("standard input could not be read")?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
