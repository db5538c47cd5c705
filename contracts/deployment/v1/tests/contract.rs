//! `deployment.json` is what the crate says, and the names are sound.

use std::collections::BTreeSet;

use contract_deployment_v1::{DEPLOYMENT, FUNCTIONS, Resource, TABLES};

/// Set this variable to write the file instead of comparing it.
const UPDATE_VARIABLE: &str = "TIDINGS_UPDATE_SCHEMAS";

#[test]
fn the_file_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deployment.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&DEPLOYMENT).unwrap());
    if std::env::var_os(UPDATE_VARIABLE).is_some() {
        std::fs::write(path, current).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(committed == current, "deployment.json is not current: run the tests with {UPDATE_VARIABLE}=1");
}

#[test]
fn names_are_unique_and_variables_are_legal() {
    let tables: BTreeSet<_> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!(tables.len(), TABLES.len());
    let functions: BTreeSet<_> = FUNCTIONS.iter().map(|function| function.name).collect();
    assert_eq!(functions.len(), FUNCTIONS.len());
    for function in FUNCTIONS {
        let names: BTreeSet<_> = function.variables.iter().map(|variable| variable.name).collect();
        assert_eq!(names.len(), function.variables.len(), "{}", function.name);
        for name in names {
            let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            assert!(name.starts_with("TIDINGS_") && name.chars().all(legal), "{name}");
        }
        for variable in function.variables {
            let is_sound = match (variable.default, variable.resource) {
                (Some(default), Some(_)) => default.is_empty(),
                (default, resource) => default.is_some() != resource.is_some(),
            };
            assert!(is_sound, "{}", variable.name);
        }
    }
}

/// A table that may be left out is known to the functions as such, and no other is.
#[test]
fn what_may_be_left_out_is_the_same_for_tables_and_functions() {
    let optional: BTreeSet<_> =
        TABLES.iter().filter(|table| table.optional).map(|table| table.name).collect();
    assert_eq!(optional, BTreeSet::from(["history"]));
    let of_history = FUNCTIONS
        .iter()
        .flat_map(|function| function.variables)
        .filter(|variable| variable.resource == Some(Resource::HistoryTable));
    assert!(of_history.into_iter().all(|variable| variable.default == Some("")));
}
