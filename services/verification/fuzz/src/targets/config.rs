//! The configuration: the text of a file and environment variables.

use arbitrary::Arbitrary;
use auth_token::Methods;
use shared_telemetry::chain;
use tidings_gateway::config::{Config, ConfigError, DEFAULT};
use toml::{Table, Value};

use crate::input::{Verdict, decode};

#[derive(Debug, Arbitrary)]
enum Input {
    Text {
        file: String,
        environment: Vec<(Name, String)>,
    },
    /// Values for existing keys.
    Keys {
        file: Vec<(u8, Setting)>,
        environment: Vec<(u8, Setting)>,
    },
}

#[derive(Debug, Arbitrary)]
enum Name {
    /// A name after our prefix.
    Ours(String),
    Key(u8),
    Other(String),
}

#[derive(Debug, Arbitrary)]
enum Setting {
    Default,
    Number(i64),
    Span(u32, u8),
    Flag(bool),
    Text(String),
}

fn defaults() -> Table {
    DEFAULT.parse().expect("the default file is TOML")
}

/// Every setting: its section (empty for none), key and default.
fn keys() -> Vec<(String, String, Value)> {
    let mut keys = Vec::new();
    for (name, value) in defaults() {
        match value {
            Value::Table(section) => {
                keys.extend(section.into_iter().map(|(key, value)| (name.clone(), key, value)));
            }
            value => keys.push((String::new(), name, value)),
        }
    }
    keys
}

fn key(number: u8) -> (String, String, Value) {
    let keys = keys();
    keys[usize::from(number) % keys.len()].clone()
}

fn variable(section: &str, key: &str) -> String {
    let section = if section.is_empty() { String::new() } else { format!("{section}__") };
    format!("TIDINGS_{section}{key}").to_uppercase()
}

impl Setting {
    fn value(&self, default: &Value) -> Value {
        match self {
            Self::Default => default.clone(),
            Self::Number(number) => Value::Integer(*number),
            Self::Span(number, unit) => {
                let unit = ["ms", "s", "m", "h", "", " h"][usize::from(unit % 6)];
                Value::String(format!("{number}{unit}"))
            }
            Self::Flag(flag) => Value::Boolean(*flag),
            Self::Text(text) => Value::String(text.clone()),
        }
    }
}

/// Reads a configuration: it is accepted and within its limits, or refused with the name of a key.
pub fn config(bytes: &[u8]) -> Verdict {
    decode(bytes, |input: Input| check(&input))
}

fn check(input: &Input) {
    let (file, environment): (String, Vec<(String, String)>) = match input {
        Input::Text { file, environment } => {
            let name = |name: &Name| match name {
                Name::Ours(rest) => format!("TIDINGS_{rest}"),
                Name::Key(number) => {
                    let (section, key, _) = key(*number);
                    variable(&section, &key)
                }
                Name::Other(name) => name.clone(),
            };
            (file.clone(), environment.iter().map(|(of, text)| (name(of), text.clone())).collect())
        }
        Input::Keys { file, environment } => (text(file), variables(environment)),
    };
    match Config::from_text(&file, environment.iter().cloned()) {
        Ok(config) => check_accepted(&config),
        Err(error) => check_refused(&error, input),
    }
}

fn text(settings: &[(u8, Setting)]) -> String {
    let mut table = Table::new();
    for (number, setting) in settings {
        let (section, key, default) = key(*number);
        let value = setting.value(&default);
        if section.is_empty() {
            table.insert(key, value);
        } else if let Some(section) =
            table.entry(section).or_insert(Value::Table(Table::new())).as_table_mut()
        {
            section.insert(key, value);
        }
    }
    table.to_string()
}

fn variables(settings: &[(u8, Setting)]) -> Vec<(String, String)> {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    settings
        .iter()
        .map(|(number, setting)| {
            let (section, key, default) = key(*number);
            (variable(&section, &key), text(setting.value(&default)))
        })
        .collect()
}

/// An accepted configuration keeps the limits, and every part of the server can be made from it.
fn check_accepted(config: &Config) {
    config.validate().expect("an accepted configuration is valid");
    let limits = config.connections.limits();
    assert!((1_024..=128 * 1_024).contains(&limits.max_message_bytes));
    assert_eq!(config.edge().max_message_bytes, limits.max_message_bytes);
    let methods = config.authorizer().methods;
    assert_ne!(methods, Methods::NONE, "clients can connect");
    let run = config.dispatcher.settings().limits;
    assert!((1..=10_000).contains(&run.page) && run.replay_drain >= 1);
    assert!(config.server().max_bulk_body_bytes >= config.server().max_body_bytes);
    assert!(!config.tokens.issuer().lifetime.is_zero());
    assert!(config.store.settings().max_receive_count >= 1);
    let _ = (config.server.tls(), config.log.format());
}

/// A refusal names the key.
fn check_refused(error: &ConfigError, input: &Input) {
    let shown = chain(error);
    let known = |path: &str| keys().iter().any(|(section, key, _)| full_key(section, key) == path);
    match error {
        ConfigError::Read { .. } => panic!("no file was read"),
        ConfigError::Syntax(_) => {
            assert!(matches!(input, Input::Text { .. }), "a written table is TOML: {shown}");
        }
        ConfigError::UnknownKey { key, suggestion, .. } => {
            assert!(!known(key) && shown.contains(key.as_str()), "{shown}");
            assert!(suggestion.as_deref().is_none_or(known), "{shown}");
            assert!(matches!(input, Input::Text { .. }), "the key exists: {shown}");
        }
        ConfigError::WrongType { key, expected, .. } => {
            let section = defaults().get(key).is_some_and(Value::is_table);
            assert!(
                (known(key) || section) && shown.contains(key.as_str()) && shown.contains(expected),
                "{shown}"
            );
        }
        ConfigError::Value(_) => {
            let named = keys().iter().any(|(section, key, _)| shown.contains(&full_key(section, key)));
            assert!(named, "no key is named: {shown}");
        }
        ConfigError::BothNames { old, new } => {
            assert!(shown.contains(old) && shown.contains(new), "{shown}");
            assert!(matches!(input, Input::Text { .. }), "only present names were written: {shown}");
        }
        ConfigError::Invalid { key, problem } => {
            assert!(known(key) && shown.contains(key) && !problem.is_empty(), "{shown}");
        }
    }
}

fn full_key(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
