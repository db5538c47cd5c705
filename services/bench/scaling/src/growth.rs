//! The growth of a metric along a sweep.

/// Ratio of the last value to the smallest above which a metric counts as growing.
pub(crate) const TOLERANCE: f64 = 1.5;

/// The growth of a metric between the first and the last point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Growth {
    /// Input and value of the first point.
    pub(crate) first: (f64, f64),
    /// Input and value of the last point.
    pub(crate) last: (f64, f64),
    /// Slope between the two on logarithmic scales: 0 is flat, 1 is proportional to the input.
    pub(crate) exponent: f64,
    /// Ratio of the last value to the smallest.
    pub(crate) to_smallest: f64,
}

impl Growth {
    /// Returns the growth along points in the order of their inputs. Returns `None` for fewer than two
    /// points, or if a value is not positive.
    pub(crate) fn of(points: &[(f64, f64)]) -> Option<Self> {
        let (&first, &last) = (points.first()?, points.last()?);
        let smallest = points.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
        if smallest <= 0.0 || first.0 <= 0.0 || last.0 <= first.0 {
            return None;
        }
        let exponent = (last.1 / first.1).ln() / (last.0 / first.0).ln();
        Some(Self { first, last, exponent, to_smallest: last.1 / smallest })
    }

    /// Returns true if the last value is much larger than the smallest.
    pub(crate) fn is_growing(&self) -> bool {
        self.to_smallest > TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponent_is_the_slope_between_the_ends() {
        let growth = |points: &[(f64, f64)]| Growth::of(points).unwrap();
        assert!((growth(&[(1.0, 2.0), (10.0, 2.0), (100.0, 2.0)]).exponent).abs() < 1e-9);
        assert!((growth(&[(1.0, 2.0), (100.0, 200.0)]).exponent - 1.0).abs() < 1e-9);
        assert!((growth(&[(10.0, 4.0), (1_000.0, 0.4)]).exponent + 0.5).abs() < 1e-9);
    }

    #[test]
    fn last_value_is_compared_with_the_smallest() {
        let growing = |points: &[(f64, f64)]| Growth::of(points).unwrap().is_growing();
        assert!(!growing(&[(1.0, 10.0), (10.0, 4.0), (100.0, 6.0)]));
        assert!(growing(&[(1.0, 10.0), (10.0, 4.0), (100.0, 6.1)]));
    }

    #[test]
    fn growth_needs_two_positive_points() {
        assert_eq!(Growth::of(&[]), None);
        assert_eq!(Growth::of(&[(1.0, 1.0)]), None);
        assert_eq!(Growth::of(&[(1.0, 0.0), (2.0, 1.0)]), None);
    }
}
