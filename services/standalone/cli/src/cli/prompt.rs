//! Questions to the person at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};

/// Reads a password: from the first line of standard input if `from_stdin`, else from the terminal without
/// echo, twice if `twice`.
pub(super) fn read_password(from_stdin: bool, twice: bool) -> anyhow::Result<String> {
    if from_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("standard input could not be read")?;
        let password = line.trim_end_matches(['\n', '\r']);
        if password.is_empty() {
            bail!("no password on standard input; write it on the first line");
        }
        return Ok(password.to_owned());
    }
    if !io::stdin().is_terminal() {
        bail!("no terminal to ask for the password; pass it on standard input with --password-stdin");
    }
    let ask = |prompt| rpassword::prompt_password(prompt).context("the password could not be read");
    let password = ask("Password: ")?;
    if twice && password != ask("Repeat the password: ")? {
        bail!("the passwords differ");
    }
    Ok(password)
}

/// Asks a question and returns true if the answer is yes.
pub(super) fn confirm(question: &str, output: &mut super::Output) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("no terminal to ask for confirmation; pass --yes to confirm");
    }
    output.note(format!("{question} [y/N]"));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("standard input could not be read")?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
