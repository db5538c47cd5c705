//! What several runs gave.

use crate::number;

/// Several runs' values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Nothing, of nothing.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }
}

/// The median in a unit of so much, in brackets the least and the most; a dash for nothing.
pub fn cell(spread: Option<Spread>, factor: f64) -> String {
    let Some(Spread { median, min, max }) = spread else { return "–".to_owned() };
    let [median, min, max] = [median, min, max].map(|value| number(value * factor));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_have_the_middle_value() {
        let spread = |values: &[f64]| Spread::of(values.to_vec()).map(|s| (s.median, s.min, s.max));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some((2.5, 1.0, 4.0)));
    }

    #[test]
    fn cells_are_in_their_unit() {
        assert_eq!(cell(None, 1.0), "–");
        assert_eq!(cell(Spread::of(vec![2_000.0, 1_000.0, 3_000.0]), 1e-3), "2 (1–3)");
        assert_eq!(cell(Spread::of(vec![5.0]), 1.0), "5");
    }
}
