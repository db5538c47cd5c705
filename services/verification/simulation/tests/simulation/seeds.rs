//! Seeds keep every promise, and the same seed gives the same trace.

use verification_simulation::{FaultKind, check, explore, run};

/// Number of seeds in every run of the tests.
const SEEDS: u64 = 2_000;

#[test]
fn every_seed_keeps_every_promise() {
    let found = explore(0..SEEDS, 2).unwrap();
    if let Some((seed, violation)) = found.violation {
        let finished = run(seed, None).unwrap();
        let trace: Vec<_> = finished.trace.lines(Some(violation.user)).collect();
        panic!(
            "{}\nseed {seed}: {violation}\nrepeat with: scripts/simulate --seed {seed} --trace",
            trace.join("\n")
        );
    }
    // Simulations in which nothing happens keep every promise, so enough must happen.
    let statistics = found.statistics;
    assert_eq!(statistics.simulations, SEEDS);
    let counts = [
        statistics.crashes,
        statistics.stops,
        statistics.clock_jumps,
        statistics.slow_commits,
        statistics.rows_damaged,
        statistics.lost_requests,
    ];
    let faults = [FaultKind::Before, FaultKind::After, FaultKind::Partly, FaultKind::Slow];
    let faults = faults.map(|kind| statistics.faults.get(&kind).copied().unwrap_or(0));
    assert!(counts.iter().chain(&faults).all(|count| *count >= SEEDS / 20), "{statistics:?}");
    assert!(statistics.accepted >= 20 * SEEDS && statistics.repeats >= SEEDS / 10, "{statistics:?}");
}

#[test]
fn same_seed_gives_same_trace() {
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
fn different_seeds_give_different_traces() {
    assert_ne!(run(1, None).unwrap().trace.fingerprint(), run(2, None).unwrap().trace.fingerprint());
}
