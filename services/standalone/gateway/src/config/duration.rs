//! Durations in the form people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A duration, written `250ms`, `30s`, `10m`, `2h` or `30d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct DurationSetting(pub Duration);

/// A [`DurationSetting`], or `off`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct OptionalDuration(pub Option<Duration>);

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a duration; write a number and a unit: 250ms, 30s, 10m, 2h, 30d{}", if *optional { ", or off" } else { "" })]
pub struct InvalidDuration {
    found: String,
    optional: bool,
}

impl FromStr for DurationSetting {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDuration { found: text.chars().take(64).collect(), optional: false };
        let split = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(invalid)?;
        let (number, unit) = text.split_at(split);
        let number: u32 = number.parse().map_err(|_| invalid())?;
        let one = match unit.trim_start() {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            "d" => Duration::from_hours(24),
            _ => return Err(invalid()),
        };
        Ok(Self(one * number))
    }
}

impl FromStr for OptionalDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        let duration: DurationSetting =
            text.parse().map_err(|error| InvalidDuration { optional: true, ..error })?;
        Ok(Self(Some(duration.0)))
    }
}

macro_rules! by_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidDuration;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

by_text!(DurationSetting);
by_text!(OptionalDuration);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known() {
        let millis = ["250ms", "30s", "10m", "2 h", "0s", "30d"]
            .map(|text| text.parse::<DurationSetting>().unwrap().0.as_millis());
        assert_eq!(millis, [250, 30_000, 600_000, 7_200_000, 0, 2_592_000_000]);
        assert_eq!("off".parse(), Ok(OptionalDuration(None)));
        assert_eq!("1s".parse(), Ok(OptionalDuration(Some(Duration::from_secs(1)))));
    }

    #[test]
    fn malformed_durations_are_refused() {
        for text in ["", "30", "s", "-1s", "1.5s", "1w", "off", "99999999999s"] {
            let error = text.parse::<DurationSetting>().unwrap_err().to_string();
            assert!(error.contains("250ms") && !error.contains("or off"), "{error}");
        }
        assert!("never".parse::<OptionalDuration>().unwrap_err().to_string().contains("or off"));
    }
}
