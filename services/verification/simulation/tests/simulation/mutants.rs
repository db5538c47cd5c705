//! A check that can't fail is worth nothing: each defect of the world must be found.

use verification_simulation::{Mutant, Promise, check, run};

/// How many seeds a defect may stay hidden in.
const SEEDS: u64 = 60;

/// What is looked for when a world has a defect.
const fn breaks(mutant: Mutant) -> &'static [Promise] {
    use Promise::{
        AcceptedOnce, InOrder, MailboxEmpties, NoNeedlessRepeat, NobodyDelayed, NotAfterExpiry, NothingLost,
        NothingStranded,
    };
    match mutant {
        Mutant::AcceptNotStored | Mutant::LosesPut | Mutant::SwallowsPush | Mutant::SettlesFailures => {
            &[NothingLost]
        }
        Mutant::CrashTakesBack => &[NothingLost, AcceptedOnce],
        Mutant::RetryAcceptedTwice => &[AcceptedOnce],
        Mutant::LosesDelete => &[MailboxEmpties, NoNeedlessRepeat],
        Mutant::LosesMark | Mutant::DeniesPush => &[NoNeedlessRepeat],
        Mutant::LosesAck => &[MailboxEmpties],
        Mutant::SkipsRow | Mutant::TwoRuns => &[InOrder],
        Mutant::ForgetsExpiry => &[NotAfterExpiry],
        Mutant::StaleList | Mutant::NoReplay => &[NothingStranded, NobodyDelayed],
        Mutant::LosesReplayEntry => &[NothingStranded],
        Mutant::OneRunAtATime => &[NobodyDelayed],
    }
}

/// The first seed that shows a defect as it is to be shown, and what others showed.
fn hunt(mutant: Mutant) -> Result<u64, Vec<String>> {
    let mut seen = Vec::new();
    for seed in 0..SEEDS {
        match check(&run(seed, Some(mutant)).unwrap()) {
            Some(broken) if breaks(mutant).contains(&broken.promise) => return Ok(seed),
            Some(broken) => seen.push(broken.to_string()),
            None => {}
        }
    }
    Err(seen)
}

#[test]
fn every_defect_is_found() {
    let hunts = std::thread::scope(|scope| {
        let hunts = Mutant::ALL.map(|mutant| (mutant, scope.spawn(move || hunt(mutant))));
        hunts.map(|(mutant, hunt)| (mutant, hunt.join().unwrap()))
    });
    for (mutant, hunt) in &hunts {
        println!("{mutant:?}: {hunt:?}");
    }
    for (mutant, hunt) in hunts {
        assert!(hunt.is_ok(), "{mutant:?} is not found");
    }
}
