//! A check that can't fail is worth nothing: each defect of the world must be found.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use simulation::{Mutant, Promise, check, run};

/// How many seeds a defect may stay hidden in.
const SEEDS: u64 = 60;

/// The promises that a defect was seen to break, up to the first that was expected of it.
fn seen(mutant: Mutant, expected: &[Promise]) -> Vec<Promise> {
    let mut seen = Vec::new();
    for seed in 0..SEEDS {
        if let Some(broken) = check(&run(seed, Some(mutant)).unwrap()) {
            seen.push(broken.promise);
            if expected.contains(&broken.promise) {
                break;
            }
        }
    }
    seen
}

#[test]
fn every_defect_is_found() {
    for mutant in Mutant::ALL {
        let expected: &[Promise] = match mutant {
            Mutant::AcceptNotStored | Mutant::LosesPut | Mutant::SwallowsPush | Mutant::SettlesFailures => {
                &[Promise::NothingLost]
            }
            Mutant::CrashTakesBack => &[Promise::NothingLost, Promise::AcceptedOnce],
            Mutant::RetryAcceptedTwice => &[Promise::AcceptedOnce],
            Mutant::LosesDelete => &[Promise::MailboxEmpties, Promise::NoNeedlessRepeat],
            Mutant::LosesMark | Mutant::DeniesPush => &[Promise::NoNeedlessRepeat],
            Mutant::LosesAck => &[Promise::MailboxEmpties],
            Mutant::SkipsRow | Mutant::TwoRuns => &[Promise::InOrder],
            Mutant::ForgetsExpiry => &[Promise::NotAfterExpiry],
            Mutant::StaleList | Mutant::NoReplay => {
                &[Promise::NothingStranded, Promise::NobodyDelayed, Promise::MailboxEmpties]
            }
            Mutant::LosesReplayEntry => &[Promise::NothingStranded, Promise::NobodyDelayed],
            Mutant::OneRunAtATime => &[Promise::NobodyDelayed],
        };
        let seen = seen(mutant, expected);
        let found = seen.last().is_some_and(|last| expected.contains(last));
        assert!(found, "{mutant:?} is not found: {seen:?}");
    }
}
