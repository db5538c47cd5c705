//! Checks of values against their bounds.

use std::time::Duration;

use super::ConfigError;
use super::duration::OptionalDuration;

/// Refuses a value below `least`.
pub(super) fn at_least<T: Copy + PartialOrd + std::fmt::Debug>(
    key: &'static str,
    value: T,
    least: T,
) -> Result<(), ConfigError> {
    if value < least {
        return Err(ConfigError::invalid(key, format!("it is {value:?}; allowed are at least {least:?}")));
    }
    Ok(())
}

/// Refuses a value above `most`.
pub(super) fn at_most<T: Copy + PartialOrd + std::fmt::Debug>(
    key: &'static str,
    value: T,
    most: T,
) -> Result<(), ConfigError> {
    if value > most {
        return Err(ConfigError::invalid(key, format!("it is {value:?}; allowed are at most {most:?}")));
    }
    Ok(())
}

/// Refuses a duration below `least`, unless the setting is off.
pub(super) fn optional_at_least(
    key: &'static str,
    value: OptionalDuration,
    least: Duration,
) -> Result<(), ConfigError> {
    value.0.map_or(Ok(()), |value| at_least(key, value, least))
}

/// The shortest duration of most settings.
pub(super) const SECOND: Duration = Duration::from_secs(1);
