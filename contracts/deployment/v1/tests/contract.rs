//! Checks that `deployment.json` is current and that the names are valid.

use std::collections::BTreeSet;

use contract_deployment_v1::{DEPLOYMENT, FUNCTIONS, Resource, TABLES};

/// Environment variable that makes the test write the file instead of comparing it.
const UPDATE_VARIABLE: &str = "TIDINGS_UPDATE_SCHEMAS";

#[test]
fn deployment_json_is_current() {
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
fn names_are_unique_and_variables_are_valid() {
    let tables: BTreeSet<_> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!(tables.len(), TABLES.len());
    let functions: BTreeSet<_> = FUNCTIONS.iter().map(|function| function.name).collect();
    assert_eq!(functions.len(), FUNCTIONS.len());
    for function in FUNCTIONS {
        let names: BTreeSet<_> = function.variables.iter().map(|variable| variable.name).collect();
        assert_eq!(names.len(), function.variables.len(), "{}", function.name);
        for name in names {
            let is_valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            assert!(name.starts_with("TIDINGS_") && name.chars().all(is_valid), "{name}");
        }
        for variable in function.variables {
            let has_valid_default = match (variable.default, variable.resource) {
                (Some(default), Some(_)) => default.is_empty(),
                (default, resource) => default.is_some() != resource.is_some(),
            };
            assert!(has_valid_default, "{}", variable.name);
        }
    }
}

/// Functions work without an optional table, and need all others.
#[test]
fn optional_tables_are_optional_for_functions() {
    let optional: BTreeSet<_> =
        TABLES.iter().filter(|table| table.optional).map(|table| table.name).collect();
    assert_eq!(optional, BTreeSet::from(["history"]));
    let history_variables = FUNCTIONS
        .iter()
        .flat_map(|function| function.variables)
        .filter(|variable| variable.resource == Some(Resource::HistoryTable));
    assert!(history_variables.into_iter().all(|variable| variable.default == Some("")));
}
