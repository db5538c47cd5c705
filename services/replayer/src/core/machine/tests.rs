//! Replays with scripted faults.

use proptest::prelude::*;

use super::*;

fn keys(numbers: impl IntoIterator<Item = u128>) -> Vec<Sequence> {
    numbers.into_iter().map(Sequence::new).collect()
}

/// The fault of one command. After the end of a script there are no faults.
#[derive(Debug, Clone)]
enum Fault {
    None,
    Whole,
    /// The entries that fail, one bit for each.
    Entries(u16),
    /// An event that does not answer the command.
    Stray,
    /// An empty page that is not the last.
    EmptyPage,
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let one = prop_oneof![
        3 => Just(Fault::None),
        1 => Just(Fault::Whole),
        2 => any::<u16>().prop_map(Fault::Entries),
        1 => Just(Fault::Stray),
        1 => Just(Fault::EmptyPage),
    ];
    prop::collection::vec(one, 0..60)
}

#[derive(Default)]
struct Log {
    /// All batches sent.
    batches: Vec<Vec<Sequence>>,
    /// The entries accepted.
    accepted: Vec<Sequence>,
    /// The entries refused in the last batch. The next batch must consist of them.
    refused: Option<Vec<Sequence>>,
    /// Number of failures since the last page or batch that succeeded.
    attempt: u32,
}

/// Drives a machine over a mailbox through a script of faults, for at most `steps` commands.
fn drive(
    machine: &mut Machine,
    mailbox: &[Sequence],
    script: Vec<Fault>,
    steps: usize,
) -> Result<(Log, Option<Result<usize, Unfinished>>), TestCaseError> {
    let mut script = script.into_iter();
    let mut log = Log::default();
    for _ in 0..steps {
        let fault = script.next().unwrap_or(Fault::None);
        let command = machine.command();
        let event = match (&command, fault) {
            (Command::Finish(outcome), _) => return Ok((log, Some(*outcome))),
            (Command::Wait { attempt }, Fault::Stray) => {
                machine.handle(Event::Sent { failed: vec![0] });
                prop_assert_eq!(&machine.command(), &command);
                prop_assert_eq!(*attempt, log.attempt);
                continue;
            }
            (_, Fault::Stray) => {
                machine.handle(Event::Waited);
                prop_assert_eq!(&machine.command(), &command);
                continue;
            }
            (Command::Wait { attempt }, _) => {
                prop_assert_eq!(*attempt, log.attempt);
                log.attempt += 1;
                Event::Waited
            }
            (Command::ReadKeys { .. } | Command::Send(_), Fault::Whole) => {
                if let Command::Send(batch) = &command {
                    log.batches.push(batch.clone());
                    log.refused = Some(batch.clone());
                }
                Event::Failed { retryable: true }
            }
            (Command::ReadKeys { .. }, Fault::EmptyPage) => {
                Event::KeysRead { sequences: Vec::new(), more: true }
            }
            (Command::ReadKeys { after, limit }, _) => {
                let rest: Vec<_> = mailbox.iter().copied().filter(|key| Some(*key) > *after).collect();
                let more = rest.len() > *limit;
                log.attempt = 0;
                Event::KeysRead { sequences: rest.into_iter().take(*limit).collect(), more }
            }
            (Command::Send(batch), fault) => {
                if let Some(refused) = log.refused.take() {
                    prop_assert_eq!(batch, &refused, "refused entries are sent again, and alone");
                }
                log.batches.push(batch.clone());
                let bits = if let Fault::Entries(bits) = fault { bits } else { 0 };
                let failed: Vec<_> = (0..batch.len()).filter(|position| bits >> position & 1 == 1).collect();
                let (refused, accepted): (Vec<_>, Vec<_>) =
                    batch.iter().enumerate().partition(|(position, _)| failed.contains(position));
                log.accepted.extend(accepted.into_iter().map(|(_, key)| *key));
                if refused.is_empty() {
                    log.attempt = 0;
                } else {
                    log.refused = Some(refused.into_iter().map(|(_, key)| *key).collect());
                }
                Event::Sent { failed }
            }
        };
        machine.handle(event);
    }
    Ok((log, None))
}

/// Returns the entries that a replay of this mailbox sends: one for each page, and one for what is left.
fn entries(mailbox: &[Sequence], page_size: usize, batch_len: usize) -> Vec<Sequence> {
    let (page_size, batch_len) = (page_size.max(1), batch_len.max(1));
    let mut entries: Vec<_> = mailbox.chunks(page_size).filter_map(|page| page.last().copied()).collect();
    if mailbox.len() > page_size * (batch_len - 1).max(1) {
        entries.truncate(batch_len - 1);
        entries.push(Sequence::MAX);
    }
    entries
}

proptest! {
    #[test]
    fn one_bounded_batch_covers_every_key(
        mailbox in prop::collection::btree_set(0_u128..1_000, 0..60),
        page_size in 0_usize..20,
        batch_len in 0_usize..12,
        script in faults(),
    ) {
        let mailbox = keys(mailbox);
        let expected = entries(&mailbox, page_size, batch_len);
        let mut machine = Machine::new(page_size, batch_len);
        // Without faults: a read for each page, and a batch.
        let steps = 2 * script.len() + batch_len + 4;
        let (log, outcome) = drive(&mut machine, &mailbox, script, steps)?;
        prop_assert_eq!(outcome, Some(Ok(expected.len())));
        prop_assert!(expected.len() <= batch_len.max(1));
        prop_assert!(log.batches.iter().all(|batch| !batch.is_empty()));
        let mut accepted = log.accepted;
        accepted.sort();
        prop_assert_eq!(&accepted, &expected);
        prop_assert_eq!(log.batches.first(), (!expected.is_empty()).then_some(&expected));
        prop_assert!(mailbox.last() <= expected.last());
    }

    #[test]
    fn deadline_ends_the_replay_with_its_count(
        mailbox in prop::collection::btree_set(0_u128..1_000, 0..60),
        script in faults(),
        steps in 0_usize..40,
    ) {
        let mut machine = Machine::new(7, 3);
        let (log, outcome) = drive(&mut machine, &keys(mailbox), script, steps)?;
        let ended = machine.command();
        machine.handle(Event::OutOfTime);
        match outcome {
            Some(_) => prop_assert_eq!(machine.command(), ended),
            None => if let Command::Finish(outcome) = machine.command() {
                let requeued = match outcome {
                    Ok(requeued) | Err(Unfinished { requeued, cause: Cause::OutOfTime }) => requeued,
                    Err(other) => panic!("{other:?}"),
                };
                prop_assert_eq!(requeued, log.accepted.len());
            } else {
                panic!("not finished")
            },
        }
    }
}

#[test]
fn empty_mailbox_is_done_after_one_read() {
    let mut machine = Machine::new(1_000, 10);
    assert_eq!(machine.command(), Command::ReadKeys { after: None, limit: 1_000 });
    machine.handle(Event::KeysRead { sequences: Vec::new(), more: false });
    assert_eq!(machine.command(), Command::Finish(Ok(0)));
}

#[test]
fn permanent_error_is_not_retried() {
    let mut machine = Machine::new(1, 3);
    machine.handle(Event::KeysRead { sequences: keys([1]), more: true });
    machine.handle(Event::KeysRead { sequences: keys([2]), more: true });
    machine.handle(Event::Sent { failed: vec![0] });
    machine.handle(Event::Waited);
    machine.handle(Event::Failed { retryable: false });
    let unfinished = Unfinished { requeued: 2, cause: Cause::Refused };
    assert_eq!(machine.command(), Command::Finish(Err(unfinished)));
}

#[test]
fn large_mailbox_takes_nine_reads_and_one_batch() {
    let mut machine = Machine::new(1_000, 10);
    for page in 0..9 {
        let after = (page > 0).then(|| Sequence::new(page * 1_000));
        assert_eq!(machine.command(), Command::ReadKeys { after, limit: 1_000 });
        machine
            .handle(Event::KeysRead { sequences: keys(page * 1_000 + 1..=(page + 1) * 1_000), more: true });
    }
    let mut expected = keys((1..=9).map(|page| page * 1_000));
    expected.push(Sequence::MAX);
    assert_eq!(machine.command(), Command::Send(expected));
    machine.handle(Event::Sent { failed: Vec::new() });
    assert_eq!(machine.command(), Command::Finish(Ok(10)));
}

#[test]
fn unordered_page_with_duplicates_covers_its_last_key() {
    let mut machine = Machine::new(2, 10);
    machine.handle(Event::KeysRead { sequences: keys([5, 3, 5]), more: true });
    assert_eq!(machine.command(), Command::ReadKeys { after: Some(Sequence::new(5)), limit: 2 });
    machine.handle(Event::KeysRead { sequences: keys([3, 5]), more: true });
    assert_eq!(machine.command(), Command::Wait { attempt: 0 });
    machine.handle(Event::Waited);
    machine.handle(Event::KeysRead { sequences: keys([6]), more: false });
    assert_eq!(machine.command(), Command::Send(keys([5, 6])));
    machine.handle(Event::Sent { failed: vec![99] });
    assert_eq!(machine.command(), Command::Finish(Ok(2)));
}
