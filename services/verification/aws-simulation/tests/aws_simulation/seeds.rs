//! Random plans.

use verification_aws_simulation::{explore, run};

/// Seeds of this test; `scripts/test --deep` runs more of them.
const SEEDS: u64 = 2_000;

#[test]
fn promises_hold() {
    let found = explore(0..SEEDS, 2, None).unwrap();
    if let Some((seed, violation)) = found.violation {
        panic!("seed {seed}: {violation}; see scripts/simulate-aws --seed {seed}");
    }
    let statistics = found.statistics;
    // The plans are not idle.
    assert!(statistics.pushed > 50 * SEEDS && statistics.redelivered > SEEDS, "{statistics:?}");
    assert!(statistics.unanswered > 0 && statistics.faults > SEEDS, "{statistics:?}");
}

#[test]
fn seed_decides_everything() {
    for seed in 0..20 {
        let (first, second) = (run(seed, None).unwrap(), run(seed, None).unwrap());
        let differs = first.log.iter().zip(&second.log).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.log.len(), second.log.len(), "seed {seed}");
    }
}
