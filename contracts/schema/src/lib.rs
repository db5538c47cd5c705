//! Test support of the contract crates: a contract's JSON Schema is generated from its types and
//! committed beside them, and a test of the contract fails when the two differ.

use std::path::Path;

pub use schemars::schema_for;

/// Set this variable to write the schemas instead of comparing them.
pub const UPDATE_VARIABLE: &str = "TIDINGS_UPDATE_SCHEMAS";

/// Compares `schema` with the committed file at `path`.
///
/// # Panics
/// When they differ, or when the file cannot be read or written.
pub fn assert_current(path: impl AsRef<Path>, schema: &schemars::Schema) {
    let path = path.as_ref();
    let generated = format!("{schema:#}\n", schema = schema.as_value());
    if std::env::var_os(UPDATE_VARIABLE).is_some() {
        std::fs::write(path, generated).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let committed =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        committed == generated,
        "{} is not what the types generate; a published contract never changes, an unpublished one is \
         written anew by running the tests with {UPDATE_VARIABLE}=1",
        path.display()
    );
}
