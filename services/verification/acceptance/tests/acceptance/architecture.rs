//! The rules by which the workspace hangs together, checked over `cargo metadata`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The services: they know each other only through contract crates.
const SERVICES: [&str; 4] = ["auth-token", "dispatcher", "replayer", "ws-edge"];

/// The only crates that may see several services: they put them together.
const COMPOSITIONS: [&str; 5] = [
    "verification-acceptance",
    "verification-model",
    "verification-conformance",
    "verification-simulation",
    "tidings",
];

fn metadata() -> Metadata {
    MetadataCommand::new().exec().expect("cargo metadata runs in the workspace")
}

fn members(metadata: &Metadata) -> BTreeMap<&str, &Package> {
    metadata.workspace_packages().into_iter().map(|package| (package.name.as_str(), package)).collect()
}

/// The workspace members a package depends on, other than for its tests.
fn internal<'a>(package: &'a Package, members: &BTreeMap<&str, &Package>) -> BTreeSet<&'a str> {
    let normal =
        package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    normal.map(|dependency| dependency.name.as_str()).filter(|name| members.contains_key(name)).collect()
}

/// All packages a member's normal build needs, itself included.
fn closure(metadata: &Metadata, root: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let name_of = |id: &cargo_metadata::PackageId| {
        metadata.packages.iter().find(|package| package.id == *id).unwrap().name.to_string()
    };
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (node.id.clone(), node)).collect();
    let mut todo = vec![metadata.packages.iter().find(|p| p.name.as_str() == root).unwrap().id.clone()];
    let mut found = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if found.insert(name_of(&id)) {
            let normal = nodes[&id].deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
            });
            todo.extend(normal.map(|dependency| dependency.pkg.clone()));
        }
    }
    found
}

/// Whether a crate is of the AWS SDK or of the runtime of functions.
fn is_aws(name: &str) -> bool {
    ["aws-", "aws_", "lambda_", "shared-aws"].iter().any(|prefix| name.starts_with(prefix))
}

#[test]
fn services_depend_on_contracts_and_shared_crates_alone() {
    let metadata = metadata();
    let members = members(&metadata);
    for service in SERVICES {
        for dependency in internal(members[service], &members) {
            let allowed = dependency.starts_with("contract-") || dependency.starts_with("shared-");
            assert!(allowed, "{service} depends on {dependency}");
        }
    }
}

#[test]
fn only_compositions_see_services() {
    let metadata = metadata();
    let members = members(&metadata);
    for (name, package) in &members {
        let services: Vec<_> =
            internal(package, &members).into_iter().filter(|d| SERVICES.contains(d)).collect();
        let own = services.iter().all(|service| *name == format!("{service}-lambda"));
        assert!(own || COMPOSITIONS.contains(name), "{name} depends on {services:?}");
    }
}

#[test]
fn a_function_sees_its_own_service_alone() {
    let metadata = metadata();
    let members = members(&metadata);
    for service in SERVICES {
        let function = format!("{service}-lambda");
        for dependency in internal(members[function.as_str()], &members) {
            let allowed = dependency == service
                || dependency.starts_with("contract-")
                || dependency.starts_with("shared-");
            assert!(allowed, "{function} depends on {dependency}");
        }
        let others = closure(&metadata, &function)
            .into_iter()
            .filter(|name| SERVICES.contains(&name.as_str()) && name != service);
        assert_eq!(others.collect::<Vec<_>>(), Vec::<String>::new(), "{function}");
    }
}

/// So no port of a service can name a type of the SDK either.
#[test]
fn services_and_their_ports_know_no_aws_crate() {
    let metadata = metadata();
    for name in SERVICES.into_iter().chain(["shared-ports", "shared-retry", "shared-telemetry"]) {
        let aws: Vec<_> = closure(&metadata, name).into_iter().filter(|name| is_aws(name)).collect();
        assert!(aws.is_empty(), "{name} needs {aws:?}");
    }
}

#[test]
fn what_is_for_tests_is_in_no_program() {
    let metadata = metadata();
    let members = members(&metadata);
    for (name, package) in &members {
        for kit in internal(package, &members) {
            let for_tests = [
                "verification-source-clients",
                "verification-snippets",
                "verification-conformance",
                "verification-test-kit",
            ];
            let is_for_tests =
                ["verification-test-kit", "verification-acceptance", "verification-acceptance-aws"]
                    .contains(name);
            assert!(
                !for_tests.contains(&kit) || is_for_tests,
                "{name} depends on {kit} outside of its tests"
            );
        }
    }
}

#[test]
fn contracts_depend_on_contracts_alone_and_carry_no_runtime() {
    let metadata = metadata();
    let members = members(&metadata);
    let contracts: Vec<_> = members.keys().filter(|name| name.starts_with("contract-")).collect();
    assert!(contracts.len() >= 5, "{contracts:?}");
    for contract in contracts {
        for dependency in internal(members[*contract], &members) {
            assert!(dependency.starts_with("contract-"), "{contract} depends on {dependency}");
        }
        for package in closure(&metadata, contract) {
            let runtime = package == "tokio" || is_aws(&package);
            assert!(!runtime, "{contract} needs {package}");
        }
    }
}

#[test]
fn shared_crates_know_no_service() {
    let metadata = metadata();
    let members = members(&metadata);
    for (name, package) in members.iter().filter(|(name, _)| name.starts_with("shared-")) {
        if COMPOSITIONS.contains(name) {
            continue;
        }
        for dependency in internal(package, &members) {
            let allowed = dependency.starts_with("contract-") || dependency.starts_with("shared-");
            assert!(allowed, "{name} depends on {dependency}");
        }
    }
}

#[test]
fn the_standalone_server_compiles_no_aws_crate() {
    let needs: Vec<_> = closure(&metadata(), "tidings").into_iter().filter(|name| is_aws(name)).collect();
    assert!(needs.is_empty(), "tidings needs {needs:?}");
}

#[test]
fn package_names_mirror_paths() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().unwrap();
        let path = folder.strip_prefix(&metadata.workspace_root).unwrap().as_str();
        let expected = match path {
            "services/standalone" => "tidings".to_owned(),
            _ => match path.strip_prefix("contracts/") {
                Some(contract) => format!("contract-{}", contract.replace('/', "-")),
                None => path.trim_start_matches("services/").replace('/', "-"),
            },
        };
        assert_eq!(package.name.as_str(), expected, "the package in {path}");
    }
}
