//! The section `[keys]`: limits of the keys of producers and operators.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use tidings_budget::Allowance;
use tidings_identity::keys::Limits;

use super::duration::DurationSetting;

/// The section `[keys]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct KeysConfig {
    pub rate: OptionalAllowance,
    pub bytes: OptionalAllowance,
}

impl KeysConfig {
    /// Returns the limits of keys that have none of their own.
    pub const fn limits(&self) -> Limits {
        Limits { rate: self.rate.0, bytes: self.bytes.0 }
    }
}

/// An amount in a time, written `1000/1s`, or `off`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OptionalAllowance(pub Option<Allowance>);

/// A text that is not an amount in a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not an amount in a time; write a whole number, a slash and a duration: 1000/1s, 5000000/1h, or off"
)]
pub struct InvalidAllowance {
    /// The text, cut to 64 characters.
    pub found: String,
}

impl FromStr for OptionalAllowance {
    type Err = InvalidAllowance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        let parsed = text.split_once('/').and_then(|(most, per)| {
            let DurationSetting(per) = per.trim().parse().ok()?;
            Allowance::new(most.trim().parse().ok()?, per).ok()
        });
        parsed
            .map(|allowance| Self(Some(allowance)))
            .ok_or_else(|| InvalidAllowance { found: text.chars().take(64).collect() })
    }
}

impl TryFrom<String> for OptionalAllowance {
    type Error = InvalidAllowance;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Debug for OptionalAllowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn allowance_is_an_amount_and_a_duration() {
        let read = |text: &str| text.parse::<OptionalAllowance>();
        let allowance = Allowance::new(5_000_000_000, Duration::from_hours(24)).unwrap();
        assert_eq!(read("5000000000 / 24h"), Ok(OptionalAllowance(Some(allowance))));
        assert_eq!(read("off"), Ok(OptionalAllowance(None)));
        for wrong in ["", "20", "0/1s", "-1/1s", "20/0s", "20/soon", "x/1s"] {
            assert!(read(wrong).unwrap_err().to_string().contains("1000/1s"), "{wrong}");
        }
    }
}
