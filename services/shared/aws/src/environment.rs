//! Typed configuration from environment variables.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use contract_deployment_v1::{Function, Variable};
use shared_retry::RetryPolicy;

/// A type that a variable's value can have.
pub trait Value: Default {
    /// Description of the allowed values, for people.
    const EXPECTED: &'static str;

    /// Parses a value. Returns `None` if the text is not allowed.
    fn parse(text: &str) -> Option<Self>;
}

impl Value for String {
    const EXPECTED: &'static str = "a text that is not empty";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// An optional text.
impl Value for Option<String> {
    const EXPECTED: &'static str = "a text, or nothing";

    fn parse(text: &str) -> Option<Self> {
        Some(String::parse(text))
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for usize {
    const EXPECTED: &'static str = "a whole number from 1 on";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 0)
    }
}

/// Milliseconds.
impl Value for Duration {
    const EXPECTED: &'static str = "a whole number of milliseconds";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::from_millis)
    }
}

/// A problem with a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The variable is required but not set.
    #[error("{} is not set; it is the {}", .0.name, .0.purpose)]
    Missing(Variable),
    /// The value is not allowed.
    #[error("{} is {found:?}; allowed is {expected}", variable.name)]
    Invalid {
        /// The variable.
        variable: Variable,
        /// The value, at most 64 characters of it.
        found: String,
        /// Description of the allowed values.
        expected: &'static str,
    },
    /// The program reads the variable, but the contract does not declare it. A test finds this.
    #[error("{} is read but not declared", .0.name)]
    Undeclared(Variable),
    /// The contract declares the variable for the function, but the program does not read it. A test finds
    /// this.
    #[error("{} is declared but not read", .0.name)]
    Unread(Variable),
}

/// All problems with the environment of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    function: &'static str,
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Returns all problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} can't start with this environment", self.function)?;
        self.problems.iter().try_for_each(|problem| write!(f, "; {problem}"))
    }
}

impl std::error::Error for ConfigError {}

/// Reads the variables that the contract declares for a function, and collects the problems, so that
/// [`Environment::finish`] reports all of them at once.
pub struct Environment<'a> {
    function: &'static Function,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    read: BTreeSet<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Environment<'a> {
    /// Starts to read the environment of `function`. `lookup` returns a variable's value, for example
    /// `&|name| std::env::var(name).ok()`.
    pub fn new(function: &'static Function, lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { function, lookup, read: BTreeSet::new(), problems: Vec::new() }
    }

    /// Returns the variable's value, or its default.
    ///
    /// Without either, or with an invalid value, the result is the type's own default, and
    /// [`Environment::finish`] fails.
    pub fn get<T: Value>(&mut self, variable: &Variable) -> T {
        self.get_with(variable, T::EXPECTED, T::parse)
    }

    /// Returns a value parsed by `parse`, as [`Environment::get`] does for a [`Value`]. `expected` describes
    /// the allowed values.
    pub fn get_with<T: Default>(
        &mut self,
        variable: &Variable,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        self.read.insert(variable.name);
        if !self.function.variables.contains(variable) {
            self.problems.push(Problem::Undeclared(*variable));
        }
        // An empty variable counts as not set.
        let set = (self.lookup)(variable.name).filter(|text| !text.is_empty());
        let Some(text) = set.or_else(|| variable.default.map(str::to_owned)) else {
            self.problems.push(Problem::Missing(*variable));
            return T::default();
        };
        parse(&text).unwrap_or_else(|| {
            let found = text.chars().take(64).collect();
            self.problems.push(Problem::Invalid { variable: *variable, found, expected });
            T::default()
        })
    }

    /// Returns a number of days, at least 1.
    pub fn days(&mut self, variable: &Variable) -> Duration {
        const DAY: Duration = Duration::from_hours(24);
        let parse =
            |text: &str| text.parse().ok().filter(|days| *days > 0).map(|days: u16| DAY * days.into());
        self.get_with(variable, "a whole number of days, 1 to 65535", parse)
    }

    /// Returns the problems found so far.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Records a problem with a variable whose value is valid by itself but conflicts with others.
    pub fn refuse(&mut self, variable: &Variable, expected: &'static str) {
        let found = (self.lookup)(variable.name).unwrap_or_default().chars().take(64).collect();
        self.problems.push(Problem::Invalid { variable: *variable, found, expected });
    }

    /// Returns a retry policy made of two variables.
    pub fn retry(&mut self, initial: &Variable, max: &Variable) -> RetryPolicy {
        RetryPolicy { initial: self.get(initial), max: self.get(max) }
    }

    /// Returns `config` if no problem was found.
    ///
    /// # Errors
    /// [`ConfigError`] with all problems.
    pub fn finish<T>(mut self, config: T) -> Result<T, ConfigError> {
        let unread = self.function.variables.iter().filter(|variable| !self.read.contains(variable.name));
        self.problems.extend(unread.map(|variable| Problem::Unread(*variable)));
        if self.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError { function: self.function.name, problems: self.problems })
        }
    }
}

#[cfg(test)]
mod tests {
    use contract_deployment_v1::variables::{
        HISTORY_PAYLOADS, HISTORY_TABLE, HISTORY_TTL, LOG, MAILBOX_TABLE, ROW_LIFETIME, TOKEN_KEY,
    };

    use super::*;

    const FUNCTION: Function = Function {
        name: "test",
        variables: &[LOG, MAILBOX_TABLE, ROW_LIFETIME],
        permissions: &[],
        timeout_seconds: 1,
    };

    fn read(variables: &[(&str, &str)]) -> Result<(String, String, Duration), ConfigError> {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let mut environment = Environment::new(&FUNCTION, &lookup);
        let config = (environment.get(&LOG), environment.get(&MAILBOX_TABLE), environment.get(&ROW_LIFETIME));
        environment.finish(config)
    }

    #[test]
    fn missing_variables_take_their_defaults() {
        let config = read(&[("TIDINGS_MAILBOX_TABLE", "m"), ("TIDINGS_LOG", "")]).unwrap();
        assert_eq!(config, ("info".to_owned(), "m".to_owned(), Duration::from_mins(130)));
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let error = read(&[("TIDINGS_ROW_LIFETIME_MS", "soon")]).unwrap_err();
        assert_eq!(error.problems().len(), 2);
        let text = error.to_string();
        for part in ["test can't start", "TIDINGS_MAILBOX_TABLE is not set", "\"soon\"", "milliseconds"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn unset_optional_table_is_none() {
        const FUNCTION: Function =
            Function { variables: &[HISTORY_TABLE, HISTORY_TTL, HISTORY_PAYLOADS], ..self::FUNCTION };
        let read = |table: Option<&str>, days: &str| {
            let lookup = |name: &str| match name {
                "TIDINGS_HISTORY_TABLE" => table.map(str::to_owned),
                "TIDINGS_HISTORY_TTL_DAYS" => Some(days.to_owned()),
                _ => None,
            };
            let mut env = Environment::new(&FUNCTION, &lookup);
            let table: Option<String> = env.get(&HISTORY_TABLE);
            let config = (table, env.days(&HISTORY_TTL), env.get(&HISTORY_PAYLOADS));
            env.finish(config)
        };
        let days = |days: u32| Duration::from_hours(24) * days;
        assert_eq!(read(None, ""), Ok((None, days(30), false)));
        assert_eq!(read(Some(""), "1"), Ok((None, days(1), false)));
        assert_eq!(read(Some("h"), "7"), Ok((Some("h".to_owned()), days(7), false)));
        for wrong in ["0", "-1", "65536", "month"] {
            let error = read(Some("h"), wrong).unwrap_err().to_string();
            assert!(error.contains("1 to 65535"), "{error}");
        }
    }

    #[test]
    fn undeclared_and_unread_variables_are_problems() {
        let mut environment = Environment::new(&FUNCTION, &|_| Some("1".to_owned()));
        let value: String = environment.get(&TOKEN_KEY);
        let error = environment.finish(value).unwrap_err();
        let expected = [
            Problem::Undeclared(TOKEN_KEY),
            Problem::Unread(LOG),
            Problem::Unread(MAILBOX_TABLE),
            Problem::Unread(ROW_LIFETIME),
        ];
        assert_eq!(error.problems(), expected);
    }
}
