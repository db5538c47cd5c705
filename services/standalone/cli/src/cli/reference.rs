//! `tidings reference`: pages of the reference that are generated from the program's own definitions.

use clap::builder::PossibleValue;
use clap::{Arg, Command, Subcommand};

use super::{Exit, Output};

/// Print a page of the reference, in Markdown
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
                    All commands of `tidings`, with their arguments and options. `tidings` without a command \
                    shows its help. A command ends with one of these [exit codes](exit-codes.md).\n\n\
                    An option comes before its environment variable, and the variable before the default.\n\n\
                    ## Common options\n\n\
                    Every command takes these options, before or after its name.\n\n"
        .to_owned();
    page.push_str(&table(program.get_arguments().filter(|argument| argument.is_global_set())));
    for command in visible(&program) {
        section(command, "tidings", &mut page);
        if !command.has_subcommands() {
            page.push_str(&own_table(command));
        }
    }
    page
}

/// Adds the sections of a command and its subcommands.
fn section(command: &Command, parent: &str, page: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    let heading = "#".repeat(name.split(' ').count());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let (title, details) = about.split_once("\n\n").unwrap_or((&about, ""));
    page.extend([&*format!("\n{heading} {name}\n\n"), &options_as_code(title), ".\n"]);
    if !details.is_empty() {
        page.extend(["\n", details, "\n"]);
    }
    if command.has_subcommands() {
        let mut earlier = (String::new(), String::new());
        for subcommand in visible(command) {
            section(subcommand, &name, page);
            let options = own_table(subcommand);
            if !options.is_empty() && options == earlier.1 {
                page.extend(["\nTakes the same arguments and options as `", &earlier.0, "`.\n"]);
            } else {
                page.push_str(&options);
                earlier = (format!("{name} {}", subcommand.get_name()), options);
            }
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace("\n       ", "\n");
    page.extend(["\n```text\n", usage.as_str(), "\n```\n"]);
}

/// Returns the table of a command's own arguments and options, after a blank line; empty if there are none.
fn own_table(command: &Command) -> String {
    let table = table(command.get_arguments().filter(|argument| !argument.is_global_set()));
    if table.is_empty() { table } else { format!("\n{table}") }
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
        Some(help) => format!("{} ({})", code(choice.get_name()), help.to_string().to_lowercase()),
        None => code(choice.get_name()),
    });
    format!(": {}", choices.collect::<Vec<_>>().join(", "))
}

/// Formats the options that a text mentions as code.
fn options_as_code(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let option = word.trim_end_matches([',', ';', '.']);
        if option.starts_with("--") && !word.contains('`') {
            word.replacen(option, &code(option), 1)
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
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
