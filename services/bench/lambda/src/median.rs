//! The median of durations.

use std::time::Duration;

/// Returns the median; of an even number of durations, the mean of the two in the middle. Of none it is zero.
pub(crate) fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    let middle = durations.len() / 2;
    match durations.get(middle) {
        None => Duration::ZERO,
        Some(upper) if durations.len() % 2 == 1 => *upper,
        Some(upper) => (durations[middle - 1] + *upper) / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_value() {
        let ms = |all: &[u64]| median(all.iter().copied().map(Duration::from_millis).collect());
        assert_eq!(ms(&[9, 1, 5]), Duration::from_millis(5));
        assert_eq!(ms(&[9, 1, 5, 6]), Duration::from_micros(5_500));
        assert_eq!(ms(&[]), Duration::ZERO);
    }
}
