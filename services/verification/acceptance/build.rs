//! Takes the example out of the document that it stands in.

fn main() -> std::io::Result<()> {
    verification_snippets::write_example("rust-http")
}
