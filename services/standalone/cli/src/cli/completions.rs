//! `tidings completions` and `tidings man`: files for shells and for `man`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

use super::{Exit, Output};

/// Print the completions of a shell
///
/// For bash: tidings completions bash > ~/.local/share/bash-completion/completions/tidings
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Shell to complete commands in
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual pages, one for each command
///
/// Read a page with man FILE. In a folder in which man looks, such as ~/.local/share/man/man1, the name of the page is
/// enough.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Folder for the pages; it is created if it does not exist
    directory: PathBuf,
}

impl Completions {
    pub(super) fn run(self, mut program: Command, output: &mut Output) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "tidings", &mut script);
        output.line(String::from_utf8(script)?.trim_end())?;
        Ok(Exit::Ok)
    }
}

impl Man {
    pub(super) fn run(self, program: Command, output: &mut Output) -> anyhow::Result<Exit> {
        let directory = &self.directory;
        let failed = || format!("the manual pages could not be written to {}", directory.display());
        std::fs::create_dir_all(directory).with_context(failed)?;
        clap_mangen::generate_to(program, directory).with_context(failed)?;
        output.result(&serde_json::json!({ "directory": directory }), |_| {
            format!("wrote the manual pages to {}", directory.display())
        })?;
        Ok(Exit::Ok)
    }
}
