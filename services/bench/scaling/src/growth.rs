//! How a figure grows with its input.

/// Of a unit's cost that is so many times the least one it is said that it grows.
pub(crate) const ALLOWED: f64 = 1.5;

/// A figure along a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Growth {
    /// The first and the last input that have a figure, and what they have.
    pub(crate) first: (f64, f64),
    pub(crate) last: (f64, f64),
    /// By which power of the input it grows between the two: 0 is flat, 1 is with the input.
    pub(crate) exponent: f64,
    /// How many times the least of all the last is.
    pub(crate) to_least: f64,
}

impl Growth {
    /// Of points in the order of their inputs; nothing of fewer than two, or of nothing.
    pub(crate) fn of(points: &[(f64, f64)]) -> Option<Self> {
        let (&first, &last) = (points.first()?, points.last()?);
        let lowest = points.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
        if lowest <= 0.0 || first.0 <= 0.0 || last.0 <= first.0 {
            return None;
        }
        let exponent = (last.1 / first.1).ln() / (last.0 / first.0).ln();
        Some(Self { first, last, exponent, to_least: last.1 / lowest })
    }

    /// Whether the cost of a unit at the end is much more than at its least.
    pub(crate) fn is_growing(&self) -> bool {
        self.to_least > ALLOWED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_slopes_between_the_ends() {
        let growth = |points: &[(f64, f64)]| Growth::of(points).unwrap();
        assert!((growth(&[(1.0, 2.0), (10.0, 2.0), (100.0, 2.0)]).exponent).abs() < 1e-9);
        assert!((growth(&[(1.0, 2.0), (100.0, 200.0)]).exponent - 1.0).abs() < 1e-9);
        assert!((growth(&[(10.0, 4.0), (1_000.0, 0.4)]).exponent + 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_end_is_held_against_the_least() {
        let growing = |points: &[(f64, f64)]| Growth::of(points).unwrap().is_growing();
        assert!(!growing(&[(1.0, 10.0), (10.0, 4.0), (100.0, 6.0)]));
        assert!(growing(&[(1.0, 10.0), (10.0, 4.0), (100.0, 6.1)]));
    }

    #[test]
    fn nothing_is_said_of_less_than_two_points() {
        assert_eq!(Growth::of(&[]), None);
        assert_eq!(Growth::of(&[(1.0, 1.0)]), None);
        assert_eq!(Growth::of(&[(1.0, 0.0), (2.0, 1.0)]), None);
    }
}
