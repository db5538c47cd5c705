//! `tidings reference`: pages of the reference that are generated from the program's own definitions.

use clap::builder::PossibleValue;
use clap::{Arg, Command, Subcommand};

use super::{Exit, Output};

/// Print a page of the reference, in Markdown.
#[derive(Debug, Subcommand)]
pub(super) enum Reference {
    /// Print the page of commands, arguments and options
    Cli,
    /// Print the page of exit codes
    ExitCodes,
}

impl Reference {
    pub(super) fn run(self, program: Command, output: &mut Output) -> anyhow::Result<Exit> {
        let page = match self {
            Self::Cli => command_line(program),
            Self::ExitCodes => exit_codes(),
        };
        output.line(page.trim_end())?;
        Ok(Exit::Ok)
    }
}

/// Returns the page of commands, arguments and options.
fn command_line(mut program: Command) -> String {
    program.build();
    let mut page = "# Command line\n\n\
                    All commands of `tidings`, with their arguments and options. `tidings` without a command is \
                    `tidings serve`. A command ends with one of these [exit codes](exit-codes.md).\n\n\
                    An option comes before its environment variable, and the variable before the default.\n\n\
                    ## Common options\n\n\
                    Every command takes these options, before or after its name.\n\n"
        .to_owned();
    page.push_str(&table(program.get_arguments().filter(|argument| argument.is_global_set())));
    for command in visible(&program) {
        section(command, "tidings", &mut page);
    }
    page
}

/// Adds the section of a command, or the sections of its subcommands.
fn section(command: &Command, parent: &str, page: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    if command.has_subcommands() {
        for subcommand in visible(command) {
            section(subcommand, &name, page);
        }
        return;
    }
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace("\n       ", "\n");
    page.extend([
        &*format!("\n## {name}\n\n{}.\n\n", about.trim_end_matches('.')),
        "```text\n",
        usage.as_str(),
        "\n```\n",
    ]);
    let own = table(command.get_arguments().filter(|argument| !argument.is_global_set()));
    if !own.is_empty() {
        page.push('\n');
        page.push_str(&own);
    }
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

/// Returns a table of arguments and options, empty if there are none.
fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows: String = arguments
        .filter(|argument| {
            !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
        })
        .map(row)
        .collect();
    if rows.is_empty() {
        return rows;
    }
    format!("| argument or option | environment variable | default | meaning |\n|---|---|---|---|\n{rows}")
}

fn row(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let variable = argument.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    // Defaults that depend on something else are part of the help.
    let (help, described) = match help.trim_end_matches(']').split_once(" [default: ") {
        Some((help, default)) => (help.to_owned(), Some(default.to_owned())),
        None => (help, None),
    };
    let takes_value = argument.get_action().takes_values();
    let values = argument.get_default_values().first().filter(|_| takes_value);
    let default = described.or(values.map(|value| code(&value.to_string_lossy()))).unwrap_or_default();
    let choices = argument.get_possible_values();
    let choices = if takes_value && !choices.is_empty() { choice_list(&choices) } else { String::new() };
    let name = code(&format!("{short}{argument}"));
    format!("| {name} | {variable} | {default} | {help}{choices} |\n")
        .replace("|  |", "| |")
        .replace("|  |", "| |")
}

fn choice_list(choices: &[PossibleValue]) -> String {
    let choices = choices.iter().map(|choice| match choice.get_help() {
        Some(help) => format!("{} ({help})", code(choice.get_name())),
        None => code(choice.get_name()),
    });
    format!(": {}", choices.collect::<Vec<_>>().join(", "))
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Returns the page of exit codes.
fn exit_codes() -> String {
    let rows = Exit::ALL.map(|exit| format!("| {} | {} | {} |", exit.code(), exit.meaning(), exit.remedy()));
    format!(
        "# Exit codes\n\n\
         The exit codes of all commands of `tidings`. Codes from 64 on are those of `sysexits.h`.\n\n\
         | code | meaning | what to do |\n|---:|---|---|\n{}\n",
        rows.join("\n")
    )
}
