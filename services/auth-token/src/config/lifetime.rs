//! The longest accepted lifetime of a JSON Web Token.

use std::time::Duration;

use serde::Deserialize;

const DAY: Duration = Duration::from_hours(24);

/// The longest accepted time between the issue of a token and its expiry; `None` for no limit. It is written as
/// `90s`, `10m`, `24h`, `30d`, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MaxLifetime(pub Option<Duration>);

impl Default for MaxLifetime {
    /// Returns the longest lifetime of a cookie, 400 days
    /// (<https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis-20#section-5.5>).
    fn default() -> Self {
        Self(Some(400 * DAY))
    }
}

/// The text is not a lifetime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not a lifetime; write a number and a unit, such as 90s, 10m, 24h or 30d, or off for no limit"
)]
pub struct InvalidLifetime {
    /// The text found.
    found: String,
}

impl TryFrom<String> for MaxLifetime {
    type Error = InvalidLifetime;

    fn try_from(text: String) -> Result<Self, InvalidLifetime> {
        if text == "off" {
            return Ok(Self(None));
        }
        let parse = || {
            let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
            let unit = match unit.trim_start() {
                "s" => Duration::from_secs(1),
                "m" => Duration::from_mins(1),
                "h" => Duration::from_hours(1),
                "d" => DAY,
                _ => return None,
            };
            unit.checked_mul(number.parse().ok()?)
        };
        match parse() {
            Some(lifetime) if !lifetime.is_zero() => Ok(Self(Some(lifetime))),
            _ => Err(InvalidLifetime { found: text.chars().take(64).collect() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetime_has_a_number_and_a_unit() {
        let seconds =
            |text: &str| MaxLifetime::try_from(text.to_owned()).unwrap().0.map(|time| time.as_secs());
        assert_eq!(["90s", "10m", "24h", "30 d"].map(seconds), [90, 600, 86_400, 2_592_000].map(Some));
        assert_eq!(seconds("off"), None);
        for text in ["", "30", "h", "0s", "-1h", "1w", "99999999999d"] {
            assert!(
                MaxLifetime::try_from(text.to_owned()).unwrap_err().to_string().contains("30d"),
                "{text}"
            );
        }
    }
}
