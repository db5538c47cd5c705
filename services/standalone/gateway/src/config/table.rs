//! Merges the file and the environment over the defaults, key by key.

use toml::{Table, Value};

use super::{ConfigError, DEFAULT, Origin};

/// Prefix of the names of environment variables.
pub(super) const PREFIX: &str = "TIDINGS_";

/// Returns the defaults as a table.
pub(super) fn defaults() -> Result<Table, ConfigError> {
    DEFAULT.parse().map_err(|source| ConfigError::Syntax(Box::new(source)))
}

/// Merges the file over the defaults.
pub(super) fn merge_file(defaults: &mut Table, file: Table) -> Result<(), ConfigError> {
    for (name, value) in file {
        match defaults.get(&name) {
            Some(Value::Table(_)) => {
                let Value::Table(section) = value else {
                    return Err(wrong_type(Origin::File, name, &value, "a section"));
                };
                for (key, value) in section {
                    set(defaults, Origin::File, &[&name, &key], value)?;
                }
            }
            _ => set(defaults, Origin::File, &[&name], value)?,
        }
    }
    Ok(())
}

/// Merges the environment over the table. Variables without two underscores that are not keys, such as those of the
/// client, are ignored.
pub(super) fn merge_environment(
    defaults: &mut Table,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    for (name, text) in environment {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        let key = key.to_ascii_lowercase();
        let path: Vec<&str> = key.split("__").collect();
        if path.len() == 1 && defaults.get(&key).is_none_or(Value::is_table) {
            continue;
        }
        let origin = Origin::Environment(name.clone());
        let value = match find(defaults, &path) {
            Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
            Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
            Some(Value::Array(_)) => Some(list(&text)),
            _ => None,
        };
        set(defaults, origin, &path, value.unwrap_or(Value::String(text)))?;
    }
    Ok(())
}

/// Parses a list, in the form of the file (`["a", "b"]`) or with commas alone (`a, b`).
fn list(text: &str) -> Value {
    let written = format!("list = {text}").parse().ok().and_then(|mut table: Table| table.remove("list"));
    written.filter(Value::is_array).unwrap_or_else(|| {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
    })
}

/// Returns the value of a key.
fn find<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    match path {
        [key] => table.get(*key),
        [section, key] => table.get(*section)?.as_table()?.get(*key),
        _ => None,
    }
}

/// Sets an existing key to a value of its type.
fn set(table: &mut Table, origin: Origin, path: &[&str], value: Value) -> Result<(), ConfigError> {
    let known = find(table, path).filter(|known| !known.is_table());
    let Some(known) = known else {
        let key = path.join(".");
        let suggestion = suggest(table, &key);
        return Err(ConfigError::UnknownKey { origin, key, suggestion });
    };
    if !known.same_type(&value) {
        let expected = match known {
            Value::Boolean(_) => "true or false",
            Value::Integer(_) => "a whole number",
            Value::Array(_) => "a list in square brackets",
            _ => "text in quotation marks",
        };
        return Err(wrong_type(origin, path.join("."), &value, expected));
    }
    let slot = match path {
        [section, key] => table.get_mut(*section).and_then(Value::as_table_mut).and_then(|t| t.get_mut(*key)),
        _ => path.first().and_then(|key| table.get_mut(*key)),
    };
    if let Some(slot) = slot {
        *slot = value;
    }
    Ok(())
}

fn wrong_type(origin: Origin, key: String, found: &Value, expected: &'static str) -> ConfigError {
    let found = match found {
        Value::Table(_) => "a section".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string().chars().take(64).collect(),
    };
    ConfigError::WrongType { origin, key, found, expected }
}

/// Returns every key with its section.
pub(super) fn keys(table: &Table) -> Vec<String> {
    let mut keys = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => keys.extend(section.keys().map(|key| format!("{name}.{key}"))),
            _ => keys.push(name.clone()),
        }
    }
    keys
}

/// Returns the key that was probably meant: the same key of another section, or the nearest by spelling.
fn suggest(table: &Table, wrong: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let keys = keys(table);
    if let Some(same) = keys.iter().find(|key| last(key) == last(wrong)) {
        return Some(same.clone());
    }
    let distances = keys.into_iter().map(|key| (distance(&key, wrong), key));
    distances.min().filter(|(distance, key)| *distance <= key.len() / 3).map(|(_, key)| key)
}

/// Returns the Levenshtein distance.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levenshtein_distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
