//! `tidings store`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tidings_gateway::app::STORE;
use tidings_gateway::config::Config;
use tidings_store::{Check, Damage, Repaired};

use super::server_options::ServerOptions;
use super::{Exit, Globals, Output, Tone};

/// Check and repair the data of a stopped server
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Check that every accepted notification is there; exit with 65 if some are missing, with 1 if there is no store
    Check(ServerOptions),
    /// Rebuild the store from its readable parts, and keep a copy of the damaged store
    Repair(Repair),
}

#[derive(Debug, Args)]
pub(super) struct Repair {
    #[command(flatten)]
    options: ServerOptions,
    /// Give up what can't be read; without this option, only list it
    #[arg(long)]
    accept_loss: bool,
}

impl Store {
    pub(super) fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let data_dir = globals.data_dir.as_deref();
        match self {
            Self::Check(options) => {
                let check = check(&path(&options.load_with_warnings(data_dir, output)?))?;
                report(&check, output)
            }
            Self::Repair(Repair { options, accept_loss }) => {
                let config = options.load_with_warnings(data_dir, output)?;
                let check = check(&path(&config))?;
                if check.damage.is_empty() {
                    return report(&check, output);
                }
                if !accept_loss {
                    let exit = report(&check, output)?;
                    output.note("nothing was changed; to give up what is missing, pass --accept-loss");
                    return Ok(exit);
                }
                let repaired = tidings_store::repair(&path(&config), &config.store.settings())?;
                output.result(&repaired, |output| describe(&repaired, output))?;
                Ok(Exit::Ok)
            }
        }
    }
}

fn path(config: &Config) -> PathBuf {
    config.data_dir.join(STORE)
}

/// Checks the store in a directory, which must have one.
fn check(path: &Path) -> anyhow::Result<Check> {
    let check = tidings_store::check(path)?;
    anyhow::ensure!(check.there, "there is no store in {}; pass --data-dir or --config", path.display());
    Ok(check)
}

/// Prints the result of a check.
fn report(check: &Check, output: &mut Output) -> anyhow::Result<Exit> {
    let exit = if check.damage.is_empty() { Exit::Ok } else { Exit::Damaged };
    output.result(check, |output| {
        let Check { commit, journals, batches, tables, unfinished_bytes, damage, .. } = check;
        let size = format!("{commit} commits, {batches} of them in {journals} journals, {tables} tables");
        if damage.is_empty() {
            let mut lines = vec![format!("{}  {size}", output.paint(Tone::Good, "intact"))];
            if *unfinished_bytes > 0 {
                lines.push(format!("the next start drops {unfinished_bytes} bytes of an unfinished commit"));
            }
            return lines.join("\n");
        }
        format!("{}  {size}\n{}", output.paint(Tone::Bad, "damaged"), list(damage))
    })?;
    Ok(exit)
}

fn list(damage: &[Damage]) -> String {
    damage.iter().map(|damage| format!("- {damage}")).collect::<Vec<_>>().join("\n")
}

fn describe(repaired: &Repaired, output: &Output) -> String {
    let Repaired { notifications, dead_letters, table_rows, .. } = repaired;
    let mut lines = vec![
        format!(
            "{}  kept {notifications} notifications, {dead_letters} dead letters and {table_rows} rows of tables",
            output.paint(Tone::Warning, "repaired")
        ),
        format!("damage:\n{}", list(&repaired.damage)),
    ];
    if repaired.lost_notifications > 0 {
        lines.push(format!("lost: up to {} accepted notifications", repaired.lost_notifications));
    }
    let end = |key: &Option<String>, none: &str| key.clone().unwrap_or_else(|| none.to_owned());
    lines.extend(repaired.unreadable.iter().map(|part| {
        let (after, before) = (end(&part.after, "the first"), end(&part.before, "the last"));
        format!("lost: rows of {} from {after} to {before}", part.keyspace)
    }));
    if repaired.unreadable_parts > repaired.unreadable.len() as u64 {
        lines.push(format!("in all, {} such ranges are lost", repaired.unreadable_parts));
    }
    let kept = repaired.kept.display();
    lines.push(format!("the damaged store is in {kept}; delete it when you no longer need it"));
    lines.join("\n")
}
