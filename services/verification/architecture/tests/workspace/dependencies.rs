//! Dependencies between crates go one way: contracts, services, budget, store and sockets, identity, hubs and history, gateway, cli.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Package};

use super::METADATA;

/// The services. They know each other only through contract crates.
const SERVICES: [&str; 4] = ["auth-token", "dispatcher", "replayer", "ws-edge"];

/// Crates of the one-process runtime, and the crates of the same runtime that each may use.
const STANDALONE: [(&str, &[&str]); 9] = [
    ("tidings-cost", &[]),
    ("tidings-budget", &[]),
    ("tidings-store", &[]),
    ("tidings-sockets", &[]),
    ("tidings-history", &["tidings-budget", "tidings-store"]),
    ("tidings-hubs", &["tidings-store"]),
    ("tidings-identity", &["tidings-budget", "tidings-store"]),
    (
        "tidings-gateway",
        &[
            "tidings-budget",
            "tidings-history",
            "tidings-hubs",
            "tidings-identity",
            "tidings-sockets",
            "tidings-store",
        ],
    ),
    ("tidings", &["tidings-cost", "tidings-gateway", "tidings-identity", "tidings-store"]),
];

/// Crates of the storage engine, whose private formats the store parses.
const ENGINE: [&str; 3] = ["fjall", "lsm-tree", "sfa"];

/// Crates of `services/shared` without AWS.
const SHARED: [&str; 4] = ["shared-ports", "shared-retry", "shared-sync", "shared-telemetry"];

fn members() -> BTreeMap<&'static str, &'static Package> {
    METADATA.workspace_packages().into_iter().map(|package| (package.name.as_str(), package)).collect()
}

/// Returns the names of a package's dependencies, without those of its tests alone.
fn dependencies(package: &Package) -> BTreeSet<&str> {
    let normal = package.dependencies.iter().filter(|used| used.kind != DependencyKind::Development);
    normal.map(|dependency| dependency.name.as_str()).collect()
}

/// Returns the names of the workspace members that a package depends on, without those of its tests alone.
fn internal(package: &Package) -> BTreeSet<&str> {
    let members = members();
    dependencies(package).into_iter().filter(|name| members.contains_key(name)).collect()
}

/// Returns the names of all packages in a member's normal build, itself included.
fn closure(root: &str) -> BTreeSet<String> {
    let resolve = METADATA.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut open = vec![&members()[root].id];
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        if found.insert(METADATA[id].name.to_string()) {
            let normal = nodes[id].deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
            });
            open.extend(normal.map(|dependency| &dependency.pkg));
        }
    }
    found
}

fn is_aws(name: &str) -> bool {
    ["aws-", "aws_", "lambda_", "shared-aws"].iter().any(|prefix| name.starts_with(prefix))
}

fn is_contract(name: &str) -> bool {
    name.starts_with("contract-")
}

fn is_check(name: &str) -> bool {
    name.starts_with("verification-") || name.starts_with("bench-")
}

/// Asserts that each member in `names` depends only on members that `allowed(name, dependency)` accepts.
#[track_caller]
fn require(names: impl IntoIterator<Item = impl AsRef<str>>, allowed: impl Fn(&str, &str) -> bool) {
    let members = members();
    for name in names {
        let name = name.as_ref();
        for dependency in internal(members[name]) {
            assert!(allowed(name, dependency), "{name} depends on {dependency}");
        }
    }
}

#[test]
fn services_see_contracts_and_shared_crates() {
    require(SERVICES, |_, used| is_contract(used) || SHARED.contains(&used));
}

#[test]
fn function_sees_its_own_service_alone() {
    for service in SERVICES {
        let function = format!("{service}-lambda");
        require([&function], |_, used| used == service || is_contract(used) || used.starts_with("shared-"));
        let others: Vec<_> = closure(&function)
            .into_iter()
            .filter(|name| name != service && SERVICES.contains(&name.as_str()))
            .collect();
        assert!(others.is_empty(), "{function} needs {others:?}");
    }
}

#[test]
fn standalone_crates_depend_one_way() {
    for (name, below) in STANDALONE {
        require([name], |_, used| {
            let outside = name == "tidings" && ["tidings-client", "bench-load"].contains(&used);
            let services = name != "tidings" && SERVICES.contains(&used);
            is_contract(used) || SHARED.contains(&used) || services || below.contains(&used) || outside
        });
    }
}

#[test]
fn client_sees_no_server_crate() {
    require(["tidings-client"], |_, used| is_contract(used) || used == "shared-retry");
}

#[test]
fn only_runtimes_and_checks_see_several_services() {
    for (name, package) in members() {
        let seen = internal(package).into_iter().filter(|used| SERVICES.contains(used)).count();
        let is_runtime = STANDALONE.iter().any(|(runtime, _)| *runtime == name);
        assert!(seen <= 1 || is_runtime || is_check(name), "{name} depends on {seen} services");
    }
}

#[test]
fn checks_are_in_no_program() {
    for (name, package) in members().into_iter().filter(|(name, _)| !is_check(name)) {
        let found: Vec<_> = internal(package).into_iter().filter(|used| is_check(used)).collect();
        // `tidings bench` is a command of the program.
        let allowed: &[&str] = if name == "tidings" { &["bench-load"] } else { &[] };
        assert_eq!(found, allowed, "{name} depends on checks outside of its tests");
    }
}

#[test]
fn contracts_carry_no_runtime() {
    let contracts: Vec<_> = members().into_keys().filter(|name| is_contract(name)).collect();
    assert!(contracts.len() >= 5, "{contracts:?}");
    require(&contracts, |_, used| is_contract(used));
    for contract in contracts {
        for package in closure(contract) {
            assert!(package != "tokio" && !is_aws(&package), "{contract} needs {package}");
        }
    }
}

#[test]
fn shared_crates_know_no_service() {
    let shared: Vec<_> = members().into_keys().filter(|name| name.starts_with("shared-")).collect();
    assert_eq!(shared.len(), SHARED.len() + 1, "{shared:?}");
    require(shared, |_, used| is_contract(used) || used.starts_with("shared-"));
}

/// So no port of a service can name a type of the SDK, and `cargo run` does not compile the SDK.
#[test]
fn aws_crates_are_in_functions_alone() {
    for name in SERVICES.into_iter().chain(SHARED).chain(["tidings", "tidings-client"]) {
        let aws: Vec<_> = closure(name).into_iter().filter(|name| is_aws(name)).collect();
        assert!(aws.is_empty(), "{name} needs {aws:?}");
    }
}

#[test]
fn store_alone_sees_the_engine() {
    for (name, package) in members() {
        let engine: Vec<_> =
            package.dependencies.iter().filter(|used| ENGINE.contains(&used.name.as_str())).collect();
        assert!(engine.is_empty() || name == "tidings-store", "{name} depends on {}", engine[0].name);
        for used in engine {
            assert!(used.req.to_string().starts_with('='), "{} {} is not pinned", used.name, used.req);
        }
    }
}

#[test]
fn package_names_mirror_paths() {
    for package in METADATA.workspace_packages() {
        let folder = package.manifest_path.parent().unwrap();
        let path = folder.strip_prefix(&METADATA.workspace_root).unwrap().as_str();
        let expected = match path {
            "services/standalone/cli" => "tidings".to_owned(),
            "services/clients/rust" => "tidings-client".to_owned(),
            _ => match path.split_once('/').unwrap() {
                ("contracts", contract) => format!("contract-{}", contract.replace('/', "-")),
                (_, service) => match service.strip_prefix("standalone/") {
                    Some(runtime) => format!("tidings-{runtime}"),
                    None => service.replace('/', "-"),
                },
            },
        };
        assert_eq!(package.name.as_str(), expected, "the package in {path}");
    }
}
