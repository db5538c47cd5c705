//! Keeps secrets out of the process's arguments, which all users of the machine can see.

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// Options with a secret, and the variable that has the same effect.
const SECRETS: [(&str, &str); 2] = [("--api-key", "TIDINGS_API_KEY"), ("--jwt", "TIDINGS_JWT")];

/// Arguments without secrets, and the variables that take their place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hidden {
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

impl Hidden {
    /// Returns a warning for an API key. A JSON Web Token is short-lived, and people paste it.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        self.variables.iter().filter_map(|(found, _)| {
            let (option, variable) = SECRETS.first().filter(|(_, variable)| variable == found)?;
            Some(format!("{option} shows the secret to all users of this machine; set {variable} instead"))
        })
    }

    /// Runs the program again without the secrets in its arguments. Returns only if that fails; the program can then go
    /// on as it is.
    pub(crate) fn restart(self) {
        let Ok(program) = std::env::current_exe() else { return };
        let mut command = Command::new(program);
        command.args(self.arguments).envs(self.variables);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            let _ = command.exec();
        }
    }
}

/// Takes the secrets out of arguments. Returns `None` if there are none.
pub(crate) fn hide(mut arguments: impl Iterator<Item = OsString>) -> Option<Hidden> {
    let mut hidden = Hidden { arguments: Vec::new(), variables: Vec::new() };
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            hidden.arguments.push(argument);
            hidden.arguments.extend(arguments.by_ref());
            break;
        }
        match secret(&argument) {
            Some((variable, Some(value))) => hidden.variables.push((variable, value)),
            Some((variable, None)) => hidden.variables.push((variable, arguments.next()?)),
            None => hidden.arguments.push(argument),
        }
    }
    (!hidden.variables.is_empty()).then_some(hidden)
}

/// Returns the variable for an option with a secret, and the secret if it is in the same argument.
fn secret(argument: &OsStr) -> Option<(&'static str, Option<OsString>)> {
    let text = argument.to_str()?;
    SECRETS.iter().find_map(|(option, variable)| {
        let rest = text.strip_prefix(option)?;
        match rest.strip_prefix('=') {
            Some(value) => Some((*variable, Some(value.into()))),
            None if rest.is_empty() => Some((*variable, None)),
            None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Texts = (Vec<String>, Vec<(&'static str, String)>);

    fn hidden(arguments: &[&str]) -> Option<Texts> {
        let text = |text: OsString| text.into_string().unwrap();
        hide(arguments.iter().map(OsString::from)).map(|Hidden { arguments, variables }| {
            let variables = variables.into_iter().map(|(name, value)| (name, text(value))).collect();
            (arguments.into_iter().map(text).collect(), variables)
        })
    }

    #[test]
    fn secrets_become_variables() {
        let rest = || ["send", "jo", "1"].map(str::to_owned).to_vec();
        let key = || vec![("TIDINGS_API_KEY", "k".to_owned())];
        assert_eq!(hidden(&["--api-key", "k", "send", "jo", "1"]), Some((rest(), key())));
        assert_eq!(hidden(&["send", "--api-key=k", "jo", "1"]), Some((rest(), key())));
        let both = hidden(&["listen", "--jwt", "a.b.c", "--api-key", "k"]).unwrap();
        assert_eq!(both.0, ["listen"]);
        assert_eq!(both.1.len(), 2);
    }

    #[test]
    fn warning_names_no_secret() {
        let warnings: Vec<_> =
            hide(["--api-key", "k3y"].iter().map(OsString::from)).unwrap().warnings().collect();
        assert!(
            warnings.len() == 1 && warnings[0].contains("TIDINGS_API_KEY") && !warnings[0].contains("k3y")
        );
    }

    #[test]
    fn other_arguments_stay_as_they_are() {
        assert_eq!(hidden(&["send", "jo", "1"]), None);
        assert_eq!(hidden(&["send", "--api-key-file", "f"]), None);
        // What follows -- is no option, and an option without a value is an error of its own.
        assert_eq!(hidden(&["send", "jo", "--", "--api-key=k"]), None);
        assert_eq!(hidden(&["send", "--api-key"]), None);
    }
}
