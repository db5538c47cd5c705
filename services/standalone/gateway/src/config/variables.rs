//! Environment variables that look like settings and are none.

use toml::Value;

use super::renamed;
use super::table::{self, PREFIX, distance};

/// A variable whose name begins as those of settings do, and which has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is not a setting and has no effect{}", Hint(suggestion.as_deref()))]
pub struct UnknownVariable {
    /// Name of the variable.
    pub name: String,
    /// Name of the variable that was probably meant.
    pub suggestion: Option<String>,
}

/// The end of the message about an unknown variable.
struct Hint<'a>(Option<&'a str>);

impl std::fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean {name}?"),
            None => f.write_str("; `tidings config default` shows all settings"),
        }
    }
}

/// Returns those of the variables `names` that begin with `TIDINGS_` and are neither settings nor among `others`.
///
/// Names with two underscores are left out, because the configuration refuses those that are not settings.
pub fn unknown_variables(names: impl IntoIterator<Item = String>, others: &[String]) -> Vec<UnknownVariable> {
    // The defaults are a constant that the tests read.
    let defaults = table::defaults().unwrap_or_default();
    let is_setting = |key: &str| defaults.get(key).is_some_and(|value| !matches!(value, Value::Table(_)));
    let settings: Vec<_> = table::keys(&defaults)
        .iter()
        .map(|key| format!("{PREFIX}{}", key.replace('.', "__").to_uppercase()))
        .collect();
    let mut unknown: Vec<_> = names
        .into_iter()
        .filter(|name| {
            let Some(key) = name.strip_prefix(PREFIX) else { return false };
            !key.contains("__")
                && !is_setting(&key.to_ascii_lowercase())
                && !others.contains(name)
                && !renamed::is_former(name)
        })
        .map(|name| {
            let suggestion = suggest(&name, others.iter().chain(&settings));
            UnknownVariable { name, suggestion }
        })
        .collect();
    unknown.sort_by(|a, b| a.name.cmp(&b.name));
    unknown
}

/// Returns the variable that was probably meant: that of the same setting in its section, or the nearest by spelling.
fn suggest<'a>(wrong: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    let wrong = wrong.strip_prefix(PREFIX)?;
    let candidates = known.filter_map(|name| {
        let key = name.strip_prefix(PREFIX)?;
        let setting = key.rsplit("__").next().unwrap_or(key);
        let (in_full, alone) = (distance(key, wrong), distance(setting, wrong));
        let is_near = in_full <= key.len() / 3 || alone <= setting.len() / 4;
        is_near.then_some((in_full.min(alone), name))
    });
    candidates.min().map(|(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_variables_are_found() {
        let others = ["TIDINGS_URL".to_owned(), "TIDINGS_API_KEY".to_owned()];
        let names = [
            "TIDINGS_APIKEY",
            "TIDINGS_LISTEN",
            "TIDINGS_LISTN",
            "TIDINGS_NONSENSE",
            "TIDINGS_URL",
            "TIDINGS_DATA_DIR",
            "TIDINGS_SERVER__LISTEN",
            "TIDINGS_SERVER__LISTN",
            "TIDINGS_SENDING__POLICY",
            "PATH",
        ];
        let unknown = unknown_variables(names.map(str::to_owned), &others);
        let found: Vec<_> = unknown.iter().map(|v| (v.name.as_str(), v.suggestion.as_deref())).collect();
        let expected = [
            ("TIDINGS_APIKEY", Some("TIDINGS_API_KEY")),
            ("TIDINGS_LISTEN", Some("TIDINGS_SERVER__LISTEN")),
            ("TIDINGS_LISTN", Some("TIDINGS_SERVER__LISTEN")),
            ("TIDINGS_NONSENSE", None),
        ];
        assert_eq!(found, expected);
        assert!(unknown[0].to_string().ends_with("did you mean TIDINGS_API_KEY?"));
    }
}
