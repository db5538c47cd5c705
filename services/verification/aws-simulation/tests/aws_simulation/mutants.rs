//! Defects of the deployment, each of which the checks must find.

use verification_aws_simulation::explore;
use verification_aws_simulation::mutant::Mutant;

/// Seeds within which a mutant is found.
const SEEDS: u64 = 1_000;

#[test]
fn every_mutant_is_found() {
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        match explore(0..SEEDS, 2, Some(mutant)).unwrap().violation {
            Some((seed, violation)) => println!("{mutant:?}: seed {seed}: {violation}"),
            None => missed.push(mutant),
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
