//! Numbers as people read them.

/// A number with three significant digits or its thousands apart.
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
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_what_matters() {
        let texts = [0.0, 0.1234, 1.5, 9.0, 15.96, 123.4, 1_234_567.0, -123.0].map(number);
        assert_eq!(texts, ["0", "0.123", "1.5", "9", "16", "123", "1,234,567", "-123"]);
    }
}
