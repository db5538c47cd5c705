//! With which programs it is measured.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::process::Command;

use bench_kit::machine::version_of;

use crate::systems::Tools;

/// What the programs say of themselves.
pub(crate) fn versions(tools: &Tools) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    let mut ask = |name: &str, program: Option<&OsStr>, argument: &str| {
        let Some(program) = program else { return };
        let mut command = Command::new(program);
        if let Some(libraries) = tools.libraries.as_ref().filter(|_| name == "mosquitto") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        // mosquitto knows no option for it, and says it with its help.
        if let Some(version) = version_of(command.arg(argument)) {
            versions.insert(name.to_owned(), version);
        }
    };
    ask("Tidings", tools.tidings.as_deref().map(AsRef::as_ref), "--version");
    ask("mosquitto", tools.mosquitto.as_deref().map(AsRef::as_ref), "-h");
    ask("nats-server", tools.nats.as_deref().map(AsRef::as_ref), "--version");
    ask("Node", tools.node_server.as_ref().map(|_| OsStr::new("node")), "--version");
    versions
}

/// Major and minor.
pub(crate) fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_numbers_of_a_version_count() {
        assert_eq!(major_minor("2.9.10"), Some((2, 9)));
        assert_eq!(major_minor("2"), None);
    }
}
