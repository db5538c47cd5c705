//! Worlds in which all promises are kept, and which come out the same each time.

use verification_simulation::{FaultKind, check, explore, run};

/// How many seeds every run of the tests goes through.
const SEEDS: u64 = 2_000;

#[test]
fn every_seed_keeps_every_promise() {
    let found = explore(0..SEEDS, 2).unwrap();
    if let Some((seed, broken)) = found.broken {
        let finished = run(seed, None).unwrap();
        let story: Vec<_> = finished.trace.story(Some(broken.user)).collect();
        panic!(
            "{}\nseed {seed}: {broken}\nagain with: scripts/simulate --seed {seed} --story",
            story.join("\n")
        );
    }
    // Worlds in which nothing happens keep every promise.
    let tally = found.tally;
    assert_eq!(tally.worlds, SEEDS);
    let counts =
        [tally.crashes, tally.stops, tally.jumps, tally.slow_commits, tally.poisoned, tally.lost_requests];
    let faults = [FaultKind::Before, FaultKind::After, FaultKind::Partly, FaultKind::Slow];
    let faults = faults.map(|kind| tally.faults.get(&kind).copied().unwrap_or(0));
    assert!(counts.iter().chain(&faults).all(|count| *count >= SEEDS / 20), "{tally:?}");
    assert!(tally.accepted >= 20 * SEEDS && tally.repeats >= SEEDS / 10, "{tally:?}");
}

#[test]
fn a_seed_gives_the_same_world_in_every_detail() {
    for seed in 0..60 {
        let (first, second) = (run(seed, None).unwrap(), run(seed, None).unwrap());
        let different = first.trace.0.iter().zip(&second.trace.0).find(|(a, b)| a != b);
        assert!(different.is_none(), "seed {seed}: {different:?}");
        assert_eq!(first.trace.0.len(), second.trace.0.len(), "seed {seed}");
        assert_eq!(first.trace.fingerprint(), second.trace.fingerprint(), "seed {seed}");
        assert_eq!(check(&first), check(&second));
    }
}

#[test]
fn another_seed_gives_another_world() {
    assert_ne!(run(1, None).unwrap().trace.fingerprint(), run(2, None).unwrap().trace.fingerprint());
}
