//! `tidings store`
use clap::{Args, Subcommand};
use tidings_store::{Check, Damage, Repaired};

use super::serve::Settings;
use super::{Exit, Globals, Output, Tone, host};

/// Look at a server's data while the server does not run, and repair it.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Say whether all is there that was accepted; changes nothing; exit 65 if something is missing
    Check(Settings),
    /// Go on without what can't be read; what was there is kept
    Repair(Repair),
}

#[derive(Debug, Args)]
pub(super) struct Repair {
    #[command(flatten)]
    settings: Settings,
    /// Go on without what is missing; without this, only say what that is
    #[arg(long)]
    accept_loss: bool,
}

impl Store {
    pub(super) fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let data_dir = globals.data_dir.as_deref();
        match self {
            Self::Check(settings) => {
                let check = host::check_store(&settings, data_dir)?;
                report(&check, output)
            }
            Self::Repair(Repair { settings, accept_loss: false }) => {
                let check = host::check_store(&settings, data_dir)?;
                let exit = report(&check, output)?;
                if !check.damage.is_empty() {
                    output.note("nothing was changed; --accept-loss goes on without what is missing");
                }
                Ok(exit)
            }
            Self::Repair(Repair { settings, accept_loss: true }) => {
                let check = host::check_store(&settings, data_dir)?;
                if check.damage.is_empty() {
                    return report(&check, output);
                }
                let repaired = host::repair_store(&settings, data_dir)?;
                output.result(&repaired, |output| told(&repaired, output))?;
                Ok(Exit::Ok)
            }
        }
    }
}

fn report(check: &Check, output: &mut Output) -> anyhow::Result<Exit> {
    let exit = if check.damage.is_empty() { Exit::Ok } else { Exit::Damaged };
    output.result(check, |output| {
        if !check.there {
            return output.paint(Tone::Good, "there is no store yet");
        }
        let Check { commit, journals, batches, tables, unfinished_bytes, damage, .. } = check;
        let what = format!("{commit} commits; {journals} journals with {batches} of them, {tables} tables");
        if damage.is_empty() {
            let mut lines = vec![format!("{}  {what}", output.paint(Tone::Good, "whole"))];
            if *unfinished_bytes > 0 {
                lines.push(format!("{unfinished_bytes} bytes of a commit that was not finished are dropped"));
            }
            return lines.join("\n");
        }
        format!("{}  {what}\n{}", output.paint(Tone::Bad, "damaged"), list(damage))
    })?;
    Ok(exit)
}

fn list(damage: &[Damage]) -> String {
    damage.iter().map(|damage| format!("- {damage}")).collect::<Vec<_>>().join("\n")
}

fn told(repaired: &Repaired, output: &Output) -> String {
    let Repaired { notifications, dead_letters, table_rows, .. } = repaired;
    let mut lines = vec![
        format!(
            "{}  {notifications} notifications, {dead_letters} dead letters and {table_rows} rows of tables kept",
            output.paint(Tone::Warning, "repaired")
        ),
        format!("what was wrong:\n{}", list(&repaired.damage)),
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
        lines.push(format!("and more; {} such parts in all", repaired.unreadable_parts));
    }
    let kept = repaired.kept.display();
    lines.push(format!("what was there is in {kept}; delete it when it is not needed"));
    lines.join("\n")
}
