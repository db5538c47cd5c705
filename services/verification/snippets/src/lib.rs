//! Takes programs out of the documents: a fenced block behind a line `<!-- run: NAME -->`. Only for tests, and for
//! examples, which are built of such programs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
const MARKER: (&str, &str) = ("<!-- run: ", " -->");
const FENCE: &str = "```";

/// A program in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// What its marker calls it.
    pub name: String,
    /// The language of its block.
    pub language: String,
    /// Its lines.
    pub code: String,
}

/// The place of a document of the repository.
pub fn document(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

/// The programs of a text, in their order. A marker without a block behind it is no program, and neither is one whose
/// block does not end.
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

/// The program `name` of the document at `path`, which is relative to the repository.
///
/// # Errors
/// The document can't be read, or does not have exactly one such program.
pub fn snippet(path: &str, name: &str) -> io::Result<Snippet> {
    let text = fs::read_to_string(document(path))?;
    let mut named = parse(&text).into_iter().filter(|snippet| snippet.name == name);
    match (named.next(), named.next()) {
        (Some(snippet), None) => Ok(snippet),
        (first, _) => {
            let how_many = if first.is_some() { "several" } else { "no" };
            Err(io::Error::other(format!("{path} has {how_many} programs called {name:?}")))
        }
    }
}

/// For a build script: writes the program `name` of `docs/how-to/clients.md` to where an example includes it from, and has the
/// script run again when the document has changed.
///
/// # Errors
/// As [`snippet`]; or the program can't be written.
pub fn write_example(name: &str) -> io::Result<()> {
    const DOCUMENT: &str = "docs/how-to/clients.md";
    // How a build script talks to cargo (<https://doc.rust-lang.org/cargo/reference/build-scripts.html>).
    let mut cargo = io::stdout();
    writeln!(cargo, "cargo::rerun-if-changed={}", document(DOCUMENT).display())?;
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")?;
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("this is no build script"))?;
    fs::write(Path::new(&out).join(format!("{name}.rs")), snippet(DOCUMENT, name)?.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_taken_and_nothing_else() {
        let text = "# A\n\n```sh\nnot this\n```\n\n<!-- run: one -->\n```sh\necho 1\n\necho 2\n```\n<!-- run: none -->\n\n\
                    <!-- run: two -->\n```rust\nfn main() {}\n```\n<!-- run: open -->\n```js\n";
        let found = parse(text);
        let names: Vec<_> = found.iter().map(|snippet| (&*snippet.name, &*snippet.language)).collect();
        assert_eq!(names, [("one", "sh"), ("two", "rust")]);
        assert_eq!(found[0].code, "echo 1\n\necho 2\n");
    }
}
