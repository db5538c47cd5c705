//! `tidings dlq`
use clap::{Args, Subcommand};
use serde_json::json;
use tidings_client::{ClientError, DeadLetter, Gateway};

use super::output::{columns, date_and_time, harmless};
use super::{Exit, Globals, Output, Tone, secret};

/// Dead letters asked for at once.
const PAGE: usize = 200;

/// Look at what could not be delivered, and decide what becomes of it.
#[derive(Debug, Subcommand)]
pub(super) enum Dlq {
    /// List dead letters, oldest first
    List(List),
    /// Show all there is to know of one
    Show {
        /// Which one
        id: String,
    },
    /// Have dead letters accepted anew: same id, new place in the user's order
    Redrive(Which),
    /// Forget dead letters for good
    Purge(Purge),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// At most so many
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    limit: usize,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Which ones
    ids: Vec<String>,
    /// Every one there is
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Purge {
    #[command(flatten)]
    which: Which,
    /// Do not ask whether it is meant
    #[arg(long, short)]
    yes: bool,
}

/// What is done to dead letters.
#[derive(Clone, Copy)]
enum Deed {
    Redrive,
    Purge,
}

impl Dlq {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let gateway = globals.gateway()?;
        match self {
            Self::List(List { limit }) => list(&gateway, limit, output).await,
            Self::Show { id } => {
                let letter = gateway.dead_letter(&id).await?;
                if output.is_json() {
                    output.value(&letter)?;
                } else {
                    output.line(serde_json::to_string_pretty(&letter)?)?;
                }
                Ok(Exit::Ok)
            }
            Self::Redrive(which) => carry_out(Deed::Redrive, &gateway, which, output).await,
            Self::Purge(Purge { which, yes }) => {
                let what = match which.ids.len() {
                    0 => "all dead letters".to_owned(),
                    1 => "1 dead letter".to_owned(),
                    count => format!("{count} dead letters"),
                };
                if !yes && !secret::confirm(&format!("Forget {what} for good?"), output)? {
                    output.note("nothing was purged");
                    return Ok(Exit::Failure);
                }
                carry_out(Deed::Purge, &gateway, which, output).await
            }
        }
    }
}

async fn list(gateway: &Gateway, limit: usize, output: &mut Output) -> anyhow::Result<Exit> {
    let mut letters: Vec<DeadLetter> = Vec::new();
    let mut after = None;
    while letters.len() < limit {
        let page = gateway.dead_letters(after.as_deref(), PAGE.min(limit - letters.len())).await?;
        letters.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if output.is_json() {
        letters.iter().try_for_each(|letter| output.value(letter))?;
    } else if letters.is_empty() {
        output.note("no dead letters");
    } else {
        let mut rows = vec![["ID", "SINCE (UTC)", "USER", "REASON"].map(str::to_owned).to_vec()];
        rows.extend(letters.into_iter().map(|letter| {
            let since = letter.since.map(|since| date_and_time(since.millis())).unwrap_or_default();
            let user = letter.user_id.unwrap_or_default();
            vec![letter.id, since, user, harmless(&letter.reason).into_owned()]
        }));
        output.line(columns(&rows))?;
        if after.is_some() {
            output.note(format!("there are more than these {limit}; see --limit"));
        }
    }
    Ok(Exit::Ok)
}

async fn carry_out(deed: Deed, gateway: &Gateway, which: Which, output: &mut Output) -> anyhow::Result<Exit> {
    let done = match deed {
        Deed::Redrive => "redriven",
        Deed::Purge => "purged",
    };
    if which.all {
        let count = match deed {
            Deed::Redrive => gateway.redrive_all().await?,
            Deed::Purge => gateway.purge_all().await?,
        };
        output.result(&json!({ "all": true, "result": done, "count": count }), |output| {
            let count = count.map_or_else(|| "all".to_owned(), |count| count.to_string());
            format!("{}  {count}", output.paint(Tone::Good, done))
        })?;
        return Ok(Exit::Ok);
    }
    let mut exit = Exit::Ok;
    for id in which.ids {
        let result = match deed {
            Deed::Redrive => gateway.redrive(&id).await,
            Deed::Purge => gateway.purge(&id).await,
        };
        match result {
            Ok(()) => output.result(&json!({ "id": id, "result": done }), |output| {
                format!("{}  {id}", output.paint(Tone::Good, done))
            })?,
            // The others may succeed all the same.
            Err(ClientError::Refused(problem)) => {
                exit = Exit::Failure;
                output.result(&json!({ "id": id, "error": problem }), |output| {
                    format!("{}  {id}  {problem}", output.paint(Tone::Bad, "refused"))
                })?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}
