//! Numbers for tables.

use bench_load::thousands;

/// Formats a number with three significant digits, or as a whole number with thousands separators.
pub fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 100.0 {
        let decimals = if value.abs() < 1.0 {
            3
        } else if value.abs() < 10.0 {
            2
        } else {
            1
        };
        let text = format!("{value:.decimals$}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    thousands(&format!("{value:.0}"))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_three_significant_digits() {
        let texts = [0.0, 0.1234, 1.5, 9.0, 15.96, 123.4, 1_234_567.0, -123.0].map(number);
        assert_eq!(texts, ["0", "0.123", "1.5", "9", "16", "123", "1,234,567", "-123"]);
    }
}
