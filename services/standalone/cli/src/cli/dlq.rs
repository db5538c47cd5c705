//! `tidings dlq`: dead letters, of a server or of a deployment on AWS.

mod letter;
mod selection;
mod stack;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use tidings_client::{ClientError, DeadLetter, Gateway};

use self::selection::{Bounds, DeadLetterSelector};
use self::stack::StackLetters;
use super::output::{OutputError, columns, date_and_time, escape_controls};
use super::{Exit, Globals, Output, Tone, prompt};

/// Dead letters in one request.
const PAGE: usize = 200;

/// List, redrive and purge dead letters, which could not be delivered
///
/// With --stack, the dead letters of a deployment on AWS. Credentials come from the environment, or from the AWS CLI.
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
    Redrive(Redrive),
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
pub(super) struct Redrive {
    #[command(flatten)]
    selector: DeadLetterSelector,
    #[command(flatten)]
    bounds: Bounds,
}

#[derive(Debug, Args)]
pub(super) struct Purge {
    #[command(flatten)]
    selector: DeadLetterSelector,
    #[command(flatten)]
    bounds: Bounds,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

/// An action on dead letters.
#[derive(Debug, Clone, Copy)]
enum Action {
    Redrive,
    Purge,
}

impl Action {
    /// Returns the word for a dead letter that was acted on.
    const fn done(self) -> &'static str {
        match self {
            Self::Redrive => "redriven",
            Self::Purge => "purged",
        }
    }
}

/// The dead letters of a server, or of a deployment on AWS.
enum Source {
    Server(Box<Gateway>),
    Stack(Box<StackLetters>),
}

impl Source {
    async fn open(globals: &Globals) -> anyhow::Result<Self> {
        Ok(match &globals.stack {
            Some(path) => Self::Stack(Box::new(StackLetters::open(globals, path).await?)),
            None => Self::Server(Box::new(globals.gateway()?)),
        })
    }

    async fn act(
        self,
        action: Action,
        selector: DeadLetterSelector,
        bounds: &Bounds,
        output: &mut Output,
    ) -> anyhow::Result<Exit> {
        match self {
            Self::Stack(letters) if bounds.dry_run => letters.dry_run(&selector, bounds, output).await,
            Self::Stack(letters) => letters.carry_out(action, &selector, bounds, output).await,
            Self::Server(gateway) => carry_out(action, &gateway, selector, bounds, output).await,
        }
    }
}

impl Dlq {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let source = Source::open(globals).await?;
        match self {
            Self::List(List { limit }) => match source {
                Source::Server(gateway) => list(&gateway, limit, output).await,
                Source::Stack(letters) => letters.list(limit, output).await,
            },
            Self::Show { id } => match source {
                Source::Server(gateway) => {
                    show(&gateway.dead_letter(&id).await?, output)?;
                    Ok(Exit::Ok)
                }
                Source::Stack(letters) => letters.show(&id, output).await,
            },
            Self::Redrive(Redrive { selector, bounds }) => {
                source.act(Action::Redrive, selector, &bounds, output).await
            }
            Self::Purge(Purge { selector, bounds, yes }) => {
                let question = format!("Purge {}, which deletes them for good?", selector.describe(&bounds));
                if !yes && !bounds.dry_run && !prompt::confirm(&question, output)? {
                    output.note("Nothing was purged.");
                    return Ok(Exit::Failure);
                }
                source.act(Action::Purge, selector, &bounds, output).await
            }
        }
    }
}

/// Shows one dead letter with all its fields.
fn show(letter: &impl Serialize, output: &mut Output) -> anyhow::Result<()> {
    if output.is_json() {
        output.value(letter)?;
    } else {
        output.line(serde_json::to_string_pretty(letter)?)?;
    }
    Ok(())
}

async fn list(gateway: &Gateway, limit: usize, output: &mut Output) -> anyhow::Result<Exit> {
    let (letters, is_cut) = find(gateway, limit, |_| true).await?;
    show_list(letters, is_cut, limit, output)?;
    Ok(Exit::Ok)
}

/// Returns up to `limit` dead letters that `is_wanted` accepts, and true if there may be more.
async fn find(
    gateway: &Gateway,
    limit: usize,
    is_wanted: impl Fn(&DeadLetter) -> bool,
) -> Result<(Vec<DeadLetter>, bool), ClientError> {
    let mut letters: Vec<DeadLetter> = Vec::new();
    let mut after = None;
    while letters.len() < limit {
        let page = gateway.dead_letters(after.as_deref(), PAGE.min(limit - letters.len())).await?;
        letters.extend(page.items.into_iter().filter(|letter| is_wanted(letter)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok((letters, after.is_some()))
}

/// Shows dead letters. `is_cut` is true if there are more than `limit`.
fn show_list(
    letters: Vec<DeadLetter>,
    is_cut: bool,
    limit: usize,
    output: &mut Output,
) -> Result<(), OutputError> {
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
        if is_cut {
            output.note(format!("There are more than {limit} dead letters. To list more, pass --limit."));
        }
    }
    Ok(())
}

async fn carry_out(
    action: Action,
    gateway: &Gateway,
    selector: DeadLetterSelector,
    bounds: &Bounds,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    if bounds.dry_run {
        let (letters, _) = find(gateway, bounds.limit(), |letter| selector.contains(letter)).await?;
        show_list(letters, false, bounds.limit(), output)?;
        return Ok(Exit::Ok);
    }
    if selector.all && bounds.limit.is_none() {
        let count = match action {
            Action::Redrive => gateway.redrive_all().await?,
            Action::Purge => gateway.purge_all().await?,
        };
        report_all(action, true, count, output)?;
        return Ok(Exit::Ok);
    }
    let is_by_id = selector.is_by_id();
    let ids = if is_by_id {
        selector.ids.into_iter().take(bounds.limit()).collect()
    } else {
        let (letters, _) = find(gateway, bounds.limit(), |letter| selector.contains(letter)).await?;
        letters.into_iter().map(|letter| letter.id).collect::<Vec<_>>()
    };
    let (mut exit, mut count) = (Exit::Ok, 0);
    for id in ids {
        let result = match action {
            Action::Redrive => gateway.redrive(&id).await,
            Action::Purge => gateway.purge(&id).await,
        };
        match result {
            Ok(()) => {
                count += 1;
                if is_by_id {
                    let done = action.done();
                    output.result(&json!({ "id": id, "result": done }), |output| {
                        format!("{}  {id}", output.paint(Tone::Good, done))
                    })?;
                }
            }
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
    if !is_by_id {
        report_all(action, selector.all, Some(count), output)?;
    }
    Ok(exit)
}

/// Reports the number of dead letters acted on; `None` if the server did not tell it.
fn report_all(action: Action, all: bool, count: Option<u64>, output: &mut Output) -> Result<(), OutputError> {
    let done = action.done();
    output.result(&json!({ "all": all, "result": done, "count": count }), |output| {
        let count = count.map_or_else(|| "all".to_owned(), |count| count.to_string());
        format!("{}  {count}", output.paint(Tone::Good, done))
    })
}
