//! Reads the programs of the documents, so that tests run them as they are printed.
//!
//! A program is a fenced block after a line `<!-- run: NAME -->`. Only for tests, and for the build scripts
//! of examples.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
const MARKER: (&str, &str) = ("<!-- run: ", " -->");
const FENCE: &str = "```";

/// A program in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// The name in its marker.
    pub name: String,
    /// The language of its block.
    pub language: String,
    /// The text of its block.
    pub code: String,
}

/// Returns the path of a document, given relative to the repository.
pub fn document(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

/// Returns the programs of a text, in order. A marker without a complete block after it is ignored.
pub fn parse(text: &str) -> Vec<Snippet> {
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let name = line.strip_prefix(MARKER.0).and_then(|rest| rest.strip_suffix(MARKER.1));
        let Some(name) = name else { continue };
        let Some(language) = lines.next().and_then(|line| line.strip_prefix(FENCE)) else { continue };
        let mut code = String::new();
        for line in lines.by_ref() {
            if line == FENCE {
                found.push(Snippet { name: name.to_owned(), language: language.to_owned(), code });
                break;
            }
            code.push_str(line);
            code.push('\n');
        }
    }
    found
}

/// Returns the program `name` of the document at `path`, given relative to the repository.
///
/// # Errors
/// The document can't be read, or does not have exactly one program with that name.
pub fn snippet(path: &str, name: &str) -> io::Result<Snippet> {
    let text = fs::read_to_string(document(path))?;
    let mut named = parse(&text).into_iter().filter(|snippet| snippet.name == name);
    match (named.next(), named.next()) {
        (Some(snippet), None) => Ok(snippet),
        (first, _) => {
            let count = if first.is_some() { "several" } else { "no" };
            Err(io::Error::other(format!("{path} has {count} programs called {name:?}")))
        }
    }
}

/// Writes the program `name` of `docs/how-to/clients.md` to the folder from which an example includes it. For
/// build scripts, which run again when the document changes.
///
/// # Errors
/// Those of [`snippet`], or the program can't be written.
pub fn write_example(name: &str) -> io::Result<()> {
    const DOCUMENT: &str = "docs/how-to/clients.md";
    // Instructions to cargo (<https://doc.rust-lang.org/cargo/reference/build-scripts.html>).
    let mut cargo = io::stdout();
    writeln!(cargo, "cargo::rerun-if-changed={}", document(DOCUMENT).display())?;
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")?;
    let out = std::env::var_os("OUT_DIR")
        .ok_or_else(|| io::Error::other("not a build script: OUT_DIR is missing"))?;
    fs::write(Path::new(&out).join(format!("{name}.rs")), snippet(DOCUMENT, name)?.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_blocks_are_parsed() {
        let text = "# A\n\n```sh\nnot this\n```\n\n<!-- run: one -->\n```sh\necho 1\n\necho 2\n```\n<!-- run: none -->\n\n\
                    <!-- run: two -->\n```rust\nfn main() {}\n```\n<!-- run: open -->\n```js\n";
        let found = parse(text);
        let names: Vec<_> = found.iter().map(|snippet| (&*snippet.name, &*snippet.language)).collect();
        assert_eq!(names, [("one", "sh"), ("two", "rust")]);
        assert_eq!(found[0].code, "echo 1\n\necho 2\n");
    }
}
