//! Test support for the contract crates. A contract's JSON Schema is generated from its types and committed
//! beside them. A test of the contract fails when the two differ.

use std::path::Path;

pub use schemars::schema_for;

/// Environment variable that makes the tests write the schemas instead of comparing them.
pub const UPDATE_VARIABLE: &str = "TIDINGS_UPDATE_SCHEMAS";

/// Compares `schema` with the committed file at `path`.
///
/// # Panics
/// If they differ, or if the file can't be read or written.
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
        "{} differs from the schema that the types generate; a published contract must not change; to update \
         an unpublished one, run the tests with {UPDATE_VARIABLE}=1",
        path.display()
    );
}
