//! Sections that were renamed. Their former names work for one release, with a warning.

use std::collections::BTreeMap;

use toml::Table;

use super::ConfigError;
use super::table::PREFIX;

/// Former and present names of sections.
const RENAMED: [(&str, &str); 1] = [("sending", "client_messages")];

/// Renames the sections of a file.
///
/// # Errors
/// [`ConfigError::BothNames`] if the file has a section under both names.
pub(super) fn in_file(file: &mut Table, warnings: &mut Vec<String>) -> Result<(), ConfigError> {
    for (old, new) in RENAMED {
        let Some(section) = file.remove(old) else { continue };
        if file.contains_key(new) {
            return Err(ConfigError::BothNames { old: format!("[{old}]"), new: format!("[{new}]") });
        }
        file.insert(new.to_owned(), section);
        warnings.push(warning(&format!("the section [{old}]"), &format!("[{new}]")));
    }
    Ok(())
}

/// Renames the variables of renamed sections.
///
/// # Errors
/// [`ConfigError::BothNames`] if a variable is set under both names.
pub(super) fn in_environment(
    environment: impl IntoIterator<Item = (String, String)>,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut variables: BTreeMap<_, _> = environment.into_iter().collect();
    for (old, new) in RENAMED {
        let prefix = format!("{PREFIX}{}__", old.to_uppercase());
        let names: Vec<_> = variables.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
        for name in names {
            let renamed = format!("{PREFIX}{}__{}", new.to_uppercase(), &name[prefix.len()..]);
            if variables.contains_key(&renamed) {
                return Err(ConfigError::BothNames { old: name, new: renamed });
            }
            if let Some(value) = variables.remove(&name) {
                warnings.push(warning(&format!("the variable {name}"), &renamed));
                variables.insert(renamed, value);
            }
        }
    }
    Ok(variables)
}

/// Returns true for a variable of a renamed section.
pub(super) fn is_former(variable: &str) -> bool {
    RENAMED.iter().any(|(old, _)| variable.starts_with(&format!("{PREFIX}{}__", old.to_uppercase())))
}

fn warning(old: &str, new: &str) -> String {
    format!("{old} is now {new}; the old name goes with the next release")
}
