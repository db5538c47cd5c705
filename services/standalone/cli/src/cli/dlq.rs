//! `tidings dlq`: dead letters.

use clap::{Args, Subcommand};
use serde_json::json;
use tidings_client::{ClientError, DeadLetter, Gateway};

use super::output::{columns, date_and_time, escape_controls};
use super::{Exit, Globals, Output, Tone, prompt};

/// Dead letters in one request.
const PAGE: usize = 200;

/// List, redrive and purge dead letters, which could not be delivered
#[derive(Debug, Subcommand)]
pub(super) enum Dlq {
    /// List dead letters, oldest first
    List(List),
    /// Show one dead letter with all its fields
    Show {
        /// Id of the dead letter
        id: String,
    },
    /// Redrive dead letters: accept them again with the same id and a new sequence
    Redrive(DeadLetterSelector),
    /// Purge dead letters: delete them for good
    Purge(Purge),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Largest number of dead letters to list
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    limit: usize,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct DeadLetterSelector {
    /// Ids of dead letters
    ids: Vec<String>,
    /// All dead letters
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Purge {
    #[command(flatten)]
    selector: DeadLetterSelector,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

/// An action on dead letters.
#[derive(Clone, Copy)]
enum Action {
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
            Self::Redrive(selector) => carry_out(Action::Redrive, &gateway, selector, output).await,
            Self::Purge(Purge { selector, yes }) => {
                let count = match selector.ids.len() {
                    0 => "all dead letters".to_owned(),
                    1 => "1 dead letter".to_owned(),
                    count => format!("{count} dead letters"),
                };
                if !yes && !prompt::confirm(&format!("Purge {count}, which deletes them for good?"), output)?
                {
                    output.note("Nothing was purged.");
                    return Ok(Exit::Failure);
                }
                carry_out(Action::Purge, &gateway, selector, output).await
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
        output.note("There are no dead letters.");
    } else {
        let mut rows = vec![["ID", "SINCE (UTC)", "USER", "REASON"].map(str::to_owned).to_vec()];
        rows.extend(letters.into_iter().map(|letter| {
            let since = letter.since.map(|since| date_and_time(since.millis())).unwrap_or_default();
            let user = letter.user_id.unwrap_or_default();
            vec![letter.id, since, user, escape_controls(&letter.reason).into_owned()]
        }));
        output.line(columns(&rows))?;
        if after.is_some() {
            output.note(format!("There are more than {limit} dead letters. To list more, pass --limit."));
        }
    }
    Ok(Exit::Ok)
}

async fn carry_out(
    action: Action,
    gateway: &Gateway,
    selector: DeadLetterSelector,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let done = match action {
        Action::Redrive => "redriven",
        Action::Purge => "purged",
    };
    if selector.all {
        let count = match action {
            Action::Redrive => gateway.redrive_all().await?,
            Action::Purge => gateway.purge_all().await?,
        };
        output.result(&json!({ "all": true, "result": done, "count": count }), |output| {
            let count = count.map_or_else(|| "all".to_owned(), |count| count.to_string());
            format!("{}  {count}", output.paint(Tone::Good, done))
        })?;
        return Ok(Exit::Ok);
    }
    let mut exit = Exit::Ok;
    for id in selector.ids {
        let result = match action {
            Action::Redrive => gateway.redrive(&id).await,
            Action::Purge => gateway.purge(&id).await,
        };
        match result {
            Ok(()) => output.result(&json!({ "id": id, "result": done }), |output| {
                format!("{}  {id}", output.paint(Tone::Good, done))
            })?,
            // The remaining ones may succeed.
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
