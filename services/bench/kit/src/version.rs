//! Versions of programs, from their own output.

use std::process::Command;

/// Runs a command that prints a program's version, and returns the version. Returns `None` if it prints none.
pub fn version_of(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    // nginx prints its version to its standard error.
    [output.stdout, output.stderr]
        .iter()
        .find_map(|text| find(&String::from_utf8_lossy(text)).map(str::to_owned))
}

/// Returns the first word that begins with a digit and has a point, without a leading `v`.
fn find(text: &str) -> Option<&str> {
    let words = text.split(|letter: char| letter.is_whitespace() || letter == '/');
    let mut words = words.map(|word| word.trim_start_matches('v'));
    words.find(|word| word.contains('.') && word.starts_with(|first: char| first.is_ascii_digit()))
}

/// Returns the major and the minor number of a version.
pub fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_program_output() {
        let outputs = [
            "nats-server: v2.9.10\n",
            "mosquitto version 2.0.11\n\nhelp",
            "v20.20.2",
            "tidings 0.1.0",
            "nginx version: nginx/1.22.1",
        ];
        assert_eq!(outputs.map(find), ["2.9.10", "2.0.11", "20.20.2", "0.1.0", "1.22.1"].map(Some));
        assert_eq!(find("nothing at all."), None);
    }

    #[test]
    fn first_two_numbers_of_a_version_count() {
        assert_eq!(major_minor("2.9.10"), Some((2, 9)));
        assert_eq!(major_minor("2"), None);
    }
}
