//! Dead letters of a deployment on AWS.
//!
//! SQS has no list of a queue. The program receives the letters, which makes them invisible to others for a time, and
//! makes those visible again that it does not act on. While a letter is invisible, SQS gives out no later ones of its
//! group than the up to ten that came with it
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>).
//! So letters of a user come in order, and what stays of a user hides what is behind it.
//!
//! A letter is deleted after it was sent, so none is lost. If the program ends between the two, the letter comes back
//! after [`INVISIBLE`], and a redrive within five minutes of the first is dropped by SQS.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use contract_notifications_v1::home_queue;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use serde_json::json;
use tidings_client::DeadLetter;

use super::letter::{Letter, parts};
use super::selection::{Bounds, DeadLetterSelector};
use super::{Action, report_all, show_list};
use crate::aws::{Queue, Sqs, find_credentials};
use crate::cli::output::OutputError;
use crate::cli::{Exit, Globals, Output, Tone, stack_outputs};

/// Time for which received letters are invisible: long enough to send and delete them.
const INVISIBLE: Duration = Duration::from_mins(1);
/// Time for which letters that stay are invisible, unless the program ends before: long enough to look at all others.
const SET_ASIDE: Duration = Duration::from_mins(15);
/// Entries of a batch, and letters of a receive.
const BATCH: usize = 10;
/// Bytes of the messages of a batch: 1 MiB less room for their attributes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>).
const BATCH_BYTES: usize = 1000 * 1024;

/// The outputs of a stack that tell where its queues are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outputs {
    region: String,
    queue_url: String,
    dead_letter_url: String,
    /// All notifications queues in order, if there are several.
    #[serde(default)]
    queue_urls: Vec<String>,
    /// Their dead-letter queues, in the same order.
    #[serde(default)]
    dead_letter_urls: Vec<String>,
}

/// The dead letters of a deployment.
pub(super) struct StackLetters {
    sqs: Sqs,
    /// The notifications queues in order.
    notifications: Vec<Queue>,
    /// The dead-letter queues, which are looked through one after the other.
    letters: Vec<Queue>,
    /// Index of the dead-letter queue that letters are received from.
    current: usize,
    /// Receives after which SQS moves a message to the dead-letter queue.
    max_receives: u64,
    /// Letters in all dead-letter queues, about.
    count: usize,
    seen: HashSet<String>,
    /// Receipts of the letters that stay, with the index of their queue.
    set_aside: Vec<(usize, String)>,
}

/// What became of one letter.
enum Outcome {
    Done,
    Refused(String),
}

impl StackLetters {
    /// Finds the queues in the file with the outputs of a stack.
    pub(super) async fn open(globals: &Globals, path: &Path) -> anyhow::Result<Self> {
        let outputs: Outputs = stack_outputs(path)?;
        let queues = |only: String, all: Vec<String>| -> Vec<Queue> {
            let all = if all.is_empty() { vec![only] } else { all };
            all.into_iter().map(|url| Queue { url }).collect()
        };
        let notifications = queues(outputs.queue_url, outputs.queue_urls);
        let letters = queues(outputs.dead_letter_url, outputs.dead_letter_urls);
        anyhow::ensure!(
            notifications.len() == letters.len(),
            "the stack has {} queueUrls and {} deadLetterUrls; it needs one for each queue",
            notifications.len(),
            letters.len()
        );
        let trusted = globals.certificate_authorities()?;
        let sqs = Sqs::new(&letters[0], outputs.region, find_credentials()?, trusted.as_ref())?;
        let number = |value: &serde_json::Value| {
            value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        };
        let policy = sqs.attributes(&notifications[0], &["RedrivePolicy"]).await?;
        let policy = policy.get("RedrivePolicy").and_then(|text| text.as_str());
        let max_receives = policy
            .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
            .and_then(|policy| number(policy.get("maxReceiveCount")?))
            .context("the queue of the stack has no dead-letter queue")?;
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let mut count = 0;
        for letters in &letters {
            let counts = sqs.attributes(letters, &names).await?;
            count += names.iter().filter_map(|name| number(counts.get(*name)?)).sum::<u64>();
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let (seen, set_aside) = (HashSet::new(), Vec::new());
        Ok(Self { sqs, notifications, letters, current: 0, max_receives, count, seen, set_aside })
    }

    /// Receives the next letters and makes them invisible for a time. Returns none when none are left.
    async fn receive(&mut self, invisible: Duration) -> anyhow::Result<Vec<Letter>> {
        let mut received: Vec<Letter> = self.sqs.receive(&self.letters[self.current], invisible).await?;
        while received.is_empty() && self.current + 1 < self.letters.len() {
            self.current += 1;
            received = self.sqs.receive(&self.letters[self.current], invisible).await?;
        }
        let (again, new): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|letter| self.seen.contains(&letter.message_id));
        self.seen.extend(new.iter().map(|letter| letter.message_id.clone()));
        // They have become visible again, since the program took longer than it keeps letters aside.
        self.set_aside(&again).await?;
        Ok(new)
    }

    /// Keeps letters invisible until the end.
    async fn set_aside(&mut self, letters: &[Letter]) -> anyhow::Result<()> {
        let receipts: Vec<_> = letters.iter().map(|letter| letter.receipt_handle.as_str()).collect();
        if !receipts.is_empty() {
            self.sqs.release(&self.letters[self.current], &receipts, SET_ASIDE).await?;
            self.keep(receipts.into_iter());
        }
        Ok(())
    }

    /// Notes receipts of letters that stay, of the queue that letters are received from.
    fn keep<'a>(&mut self, receipts: impl Iterator<Item = &'a str>) {
        let queue = self.current;
        self.set_aside.extend(receipts.map(|receipt| (queue, receipt.to_owned())));
    }

    /// Makes the letters that were set aside visible again.
    async fn release(&mut self) -> anyhow::Result<()> {
        let set_aside = std::mem::take(&mut self.set_aside);
        for of_queue in set_aside.chunk_by(|(one, _), (other, _)| one == other) {
            for receipts in of_queue.chunks(BATCH) {
                let queue = &self.letters[receipts[0].0];
                let receipts: Vec<_> = receipts.iter().map(|(_, receipt)| receipt.as_str()).collect();
                self.sqs.release(queue, &receipts, Duration::ZERO).await?;
            }
        }
        Ok(())
    }

    /// Returns up to `limit` letters that `is_wanted` accepts, oldest first.
    async fn find(
        &mut self,
        limit: usize,
        is_wanted: impl Fn(&DeadLetter) -> bool,
        with_entry: bool,
    ) -> anyhow::Result<Vec<DeadLetter>> {
        let mut found = Vec::new();
        while found.len() < limit {
            let letters = self.receive(SET_ASIDE).await?;
            if letters.is_empty() {
                break;
            }
            self.keep(letters.iter().map(|letter| letter.receipt_handle.as_str()));
            let shown = letters.iter().map(|letter| letter.shown(self.max_receives, with_entry));
            found.extend(shown.filter(|letter| is_wanted(letter)));
        }
        found.sort_by_key(|letter| letter.since);
        found.truncate(limit);
        Ok(found)
    }

    /// Lists up to `limit` letters.
    pub(super) async fn list(mut self, limit: usize, output: &mut Output) -> anyhow::Result<Exit> {
        let found = self.find(limit, |_| true, false).await;
        self.release().await?;
        let found = found?;
        let count = found.len();
        show_list(found, count == limit && self.count > limit, limit, output)?;
        if count < limit {
            self.note_hidden(count, output);
        }
        Ok(Exit::Ok)
    }

    /// Says how many letters there are, if some could not be received.
    fn note_hidden(&self, received: usize, output: &mut Output) {
        if self.count > received {
            let text = format!(
                "There are about {} dead letters. Of each user, at most the ten oldest are seen at a time.",
                self.count
            );
            output.note_either(&json!({ "type": "note", "message": text, "count": self.count }), &text);
        }
    }

    /// Shows one letter with its entry.
    pub(super) async fn show(mut self, id: &str, output: &mut Output) -> anyhow::Result<Exit> {
        let found = self.find(usize::MAX, |letter| letter.id == id, true).await;
        self.release().await?;
        let found = found?.into_iter().next().with_context(|| not_seen(id))?;
        super::show(&found, output)?;
        Ok(Exit::Ok)
    }

    /// Lists the selected letters.
    pub(super) async fn dry_run(
        mut self,
        selector: &DeadLetterSelector,
        bounds: &Bounds,
        output: &mut Output,
    ) -> anyhow::Result<Exit> {
        let found = self.find(bounds.limit(), |letter| selector.contains(letter), false).await;
        self.release().await?;
        show_list(found?, false, bounds.limit(), output)?;
        Ok(Exit::Ok)
    }

    /// Redrives or purges the selected letters.
    pub(super) async fn carry_out(
        mut self,
        action: Action,
        selector: &DeadLetterSelector,
        bounds: &Bounds,
        output: &mut Output,
    ) -> anyhow::Result<Exit> {
        let bar = progress_bar(self.count, output);
        let mut run = Run { done: HashSet::new(), refused: 0 };
        let result = self.act(action, selector, bounds, &mut run, &bar, output).await;
        bar.finish_and_clear();
        let released = self.release().await;
        let is_complete = result.is_ok();
        if !selector.is_by_id() {
            report_all(action, selector.all, Some(run.done.len() as u64), output)?;
        } else if is_complete {
            for id in selector.ids.iter().filter(|id| !self.seen.contains(*id)).take(bounds.limit()) {
                run.refused += 1;
                report(action, id, &Outcome::Refused(not_seen(id)), output)?;
            }
        }
        result?;
        released?;
        Ok(if run.refused == 0 { Exit::Ok } else { Exit::Failure })
    }

    async fn act(
        &mut self,
        action: Action,
        selector: &DeadLetterSelector,
        bounds: &Bounds,
        run: &mut Run,
        bar: &ProgressBar,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        let is_finished = |run: &Run| {
            run.done.len() >= bounds.limit() || (selector.is_by_id() && selector.ids.len() == run.done.len())
        };
        while !is_finished(run) {
            let letters = self.receive(INVISIBLE).await?;
            if letters.is_empty() {
                break;
            }
            bar.inc(letters.len() as u64);
            let room = bounds.limit() - run.done.len();
            let mut chosen = 0;
            let (wanted, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(|letter| {
                let is_wanted = chosen < room && selector.contains(&letter.shown(self.max_receives, false));
                chosen += usize::from(is_wanted);
                is_wanted
            });
            self.set_aside(&others).await?;
            for part in parts(wanted) {
                let outcomes = self.act_on(action, &part).await?;
                let mut stay = Vec::new();
                for (letter, outcome) in part.into_iter().zip(outcomes) {
                    if selector.is_by_id() || matches!(outcome, Outcome::Refused(_)) {
                        bar.suspend(|| report(action, &letter.message_id, &outcome, output))?;
                    }
                    match outcome {
                        Outcome::Done => _ = run.done.insert(letter.message_id),
                        Outcome::Refused(_) => {
                            run.refused += 1;
                            stay.push(letter);
                        }
                    }
                }
                self.set_aside(&stay).await?;
            }
        }
        Ok(())
    }

    /// Redrives or purges letters of different groups.
    async fn act_on(&self, action: Action, letters: &[Letter]) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes: Vec<_> = letters.iter().map(|_| Outcome::Done).collect();
        if matches!(action, Action::Redrive) {
            let count = NonZeroUsize::new(self.notifications.len()).unwrap_or(NonZeroUsize::MIN);
            for (home, queue) in self.notifications.iter().enumerate() {
                let is_home = |at: &usize| home_queue(letters[*at].group(), count) == home;
                let places: Vec<_> = (0..letters.len()).filter(is_home).collect();
                self.send(queue, letters, &places, &mut outcomes).await?;
            }
        }
        let (at, receipts) = deletable(letters, &outcomes);
        if !receipts.is_empty() {
            let answers = self.sqs.delete(&self.letters[self.current], &receipts).await?;
            for (at, answer) in at.into_iter().zip(answers) {
                if let Some(reason) = answer {
                    outcomes[at] = Outcome::Refused(match action {
                        Action::Redrive => format!("sent, but not deleted: {reason}"),
                        Action::Purge => reason,
                    });
                }
            }
        }
        Ok(outcomes)
    }
}

impl StackLetters {
    /// Sends the letters at these places to a notifications queue, and records their outcomes.
    async fn send(
        &self,
        queue: &Queue,
        letters: &[Letter],
        mut places: &[usize],
        outcomes: &mut [Outcome],
    ) -> anyhow::Result<()> {
        while !places.is_empty() {
            let count = batch_len(places.iter().map(|at| letters[*at].size()));
            let (batch, rest) = places.split_at(count);
            let messages = batch.iter().map(|at| letters[*at].redriven()).collect();
            let answers = self.sqs.send(queue, messages).await?;
            for (at, answer) in batch.iter().zip(answers) {
                outcomes[*at] = answer.map_or(Outcome::Done, Outcome::Refused);
            }
            places = rest;
        }
        Ok(())
    }
}

/// Returns the number of messages of these sizes in the next batch, at least one.
fn batch_len(sizes: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fits = |size: &usize| {
        bytes += size;
        bytes <= BATCH_BYTES
    };
    sizes.take(BATCH).take_while(fits).count().max(1)
}

/// Returns the indexes and receipts of the letters that were not refused. Only these may be deleted: a letter that the
/// queue refused would be lost.
fn deletable<'a>(letters: &'a [Letter], outcomes: &[Outcome]) -> (Vec<usize>, Vec<&'a str>) {
    let all = letters.iter().zip(outcomes).enumerate();
    let done = all.filter(|(_, (_, outcome))| matches!(outcome, Outcome::Done));
    done.map(|(at, (letter, _))| (at, letter.receipt_handle.as_str())).unzip()
}

/// The course of a command.
struct Run {
    done: HashSet<String>,
    refused: usize,
}

fn not_seen(id: &str) -> String {
    format!("no dead letter {id} is seen; of each user, at most the ten oldest are")
}

fn report(action: Action, id: &str, outcome: &Outcome, output: &mut Output) -> Result<(), OutputError> {
    let done = action.done();
    match outcome {
        Outcome::Done => output.result(&json!({ "id": id, "result": done }), |output| {
            format!("{}  {id}", output.paint(Tone::Good, done))
        }),
        Outcome::Refused(reason) => output
            .result(&json!({ "id": id, "error": { "detail": reason } }), |output| {
                format!("{}  {id}  {reason}", output.paint(Tone::Bad, "refused"))
            }),
    }
}

fn progress_bar(count: usize, output: &Output) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count as u64);
    bar.set_draw_target(ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:30} {pos}/{len} dead letters") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(receipt: &str) -> Letter {
        let attributes = json!({
            "MessageGroupId": "alice",
            "MessageDeduplicationId": "order-1042",
            "SentTimestamp": "1767225600000",
            "SequenceNumber": "18849496460467696128",
        });
        let message = json!({
            "MessageId": receipt, "ReceiptHandle": receipt, "Body": "{}", "Attributes": attributes,
            "MessageAttributes": {},
        });
        serde_json::from_value(message).unwrap()
    }

    #[test]
    fn refused_letters_are_not_deleted() {
        let letters = ["a", "b", "c"].map(letter);
        let outcomes = [Outcome::Done, Outcome::Refused("too large".to_owned()), Outcome::Done];
        assert_eq!(deletable(&letters, &outcomes), (vec![0, 2], vec!["a", "c"]));
    }

    #[test]
    fn batches_keep_both_limits() {
        assert_eq!(batch_len(std::iter::repeat_n(10, 12)), 10);
        assert_eq!(batch_len(std::iter::repeat_n(400 * 1024, 4)), 2);
        // A letter alone is sent, whatever its size.
        assert_eq!(batch_len([2_000 * 1024, 1].into_iter()), 1);
    }
}
