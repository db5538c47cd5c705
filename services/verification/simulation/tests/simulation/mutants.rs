//! The checks can fail: every mutant is found.

use verification_simulation::{Mutant, Promise, check, run};

/// Number of seeds within which every mutant must be found.
const SEEDS: u64 = 60;

/// The promises that a mutant may break. Finding it by another promise does not count.
const fn broken_promises(mutant: Mutant) -> &'static [Promise] {
    use Promise::{
        AcceptedOnce, InOrder, MailboxEmpties, NoNeedlessRepeat, NobodyDelayed, NotAfterExpiry, NothingLost,
        NothingStranded,
    };
    match mutant {
        Mutant::AcceptNotStored
        | Mutant::LosesPut
        | Mutant::SwallowsPush
        | Mutant::CompletesFailures
        | Mutant::DroppedRunCompletes
        | Mutant::WrittenCounts => &[NothingLost],
        Mutant::CrashUndoesWrites => &[NothingLost, AcceptedOnce],
        Mutant::RetryAcceptedTwice => &[AcceptedOnce],
        Mutant::LosesDelete => &[MailboxEmpties, NoNeedlessRepeat],
        Mutant::LosesMark | Mutant::DeniesPush => &[NoNeedlessRepeat],
        Mutant::LosesAck | Mutant::LosesReceipt => &[MailboxEmpties],
        Mutant::SkipsRow | Mutant::TwoRuns => &[InOrder],
        Mutant::ForgetsExpiry => &[NotAfterExpiry],
        Mutant::StaleList | Mutant::NoReplay | Mutant::TimeOfDayMeasures => &[NothingStranded, NobodyDelayed],
        Mutant::LosesReplayEntry => &[NothingStranded],
        Mutant::OneRunAtATime => &[NobodyDelayed],
    }
}

/// Returns the first seed that finds a mutant by one of its promises, or else all other violations.
fn find(mutant: Mutant) -> Result<u64, Vec<String>> {
    let mut others = Vec::new();
    for seed in 0..SEEDS {
        match check(&run(seed, Some(mutant)).unwrap()) {
            Some(violation) if broken_promises(mutant).contains(&violation.promise) => return Ok(seed),
            Some(violation) => others.push(violation.to_string()),
            None => {}
        }
    }
    Err(others)
}

#[test]
fn every_mutant_is_found() {
    let found = std::thread::scope(|scope| {
        let searches = Mutant::ALL.map(|mutant| (mutant, scope.spawn(move || find(mutant))));
        searches.map(|(mutant, search)| (mutant, search.join().unwrap()))
    });
    for (mutant, found) in &found {
        println!("{mutant:?}: {found:?}");
    }
    for (mutant, found) in found {
        assert!(found.is_ok(), "{mutant:?} is not found");
    }
}
