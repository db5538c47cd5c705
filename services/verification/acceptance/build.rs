//! Writes the example from its document.

fn main() -> std::io::Result<()> {
    verification_snippets::write_example("rust-http")
}
