//! The tables of docs/explanation/cost.md that come from this crate.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use tidings_cost::{Bill, Door, Load, bill, prices};

/// Environment variable that makes these tests rewrite the page.
const UPDATE_VARIABLE: &str = "UPDATE_DOCS";

/// Compares a table with the one between two comments of the page, or rewrites that.
#[track_caller]
fn check(name: &str, table: &str) {
    // The page has several tables, and a test rewrites one.
    static PAGE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = PAGE.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/explanation/cost.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- table: {name} -->\n"), "<!-- end -->");
    let table = format!("\n{table}\n");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("cost.md has no table {name}"));
    let (documented, after) = rest.split_once(end).unwrap();
    if std::env::var_os(UPDATE_VARIABLE).is_some() {
        std::fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
        return;
    }
    assert!(documented == table, "cost.md is not current: run the tests with {UPDATE_VARIABLE}=1\n{table}");
}

/// Sum of the lines of some services.
fn dollars(bill: &Bill, services: &[&str]) -> f64 {
    let of = |name: &str| services.iter().any(|service| name.starts_with(service));
    bill.lines.iter().filter(|line| of(line.service)).map(|line| line.dollars).sum()
}

fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Cells of a bill: groups of services, everything, and a million notifications.
fn cells(load: &Load) -> String {
    let bill = bill(load);
    let groups: [&[&str]; 8] = [
        &["API Gateway: WebSocket", "API Gateway: connection"],
        &["API Gateway: producer"],
        &["SQS"],
        &["Lambda"],
        &["DynamoDB"],
        &["CloudWatch", "X-Ray"],
        &["Cognito"],
        &["API Gateway: token", "KMS", "Data", "Keys"],
    ];
    let parts: Vec<_> = groups.iter().map(|services| dollars(&bill, services)).collect();
    assert!((parts.iter().sum::<f64>() - bill.dollars).abs() < 0.01, "a service is in no column, or in two");
    let parts: Vec<_> = parts.into_iter().map(grouped).collect();
    format!(
        "{} | **{}** | {:.2}",
        parts.join(" | "),
        grouped(bill.dollars),
        bill.dollars_per_million.unwrap()
    )
}

const GROUPS: &str = "WebSocket | producer API | SQS | Lambda | DynamoDB | logs, traces | Cognito | other | all | \
                      per million |\n";
const LINES: &str = "--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";

#[test]
fn bills_of_six_loads_are_documented() {
    let mut table = format!("| users | a day | {GROUPS}|--:|--:|{LINES}");
    for users in [1e3, 1e5, 1e6] {
        for per_day in [1e6, 1e8] {
            let load = Load { users, per_day, ..Load::default() };
            writeln!(table, "| {} | {} million | {} |", grouped(users), per_day / 1e6, cells(&load)).unwrap();
        }
    }
    check("loads", &table);
}

#[test]
fn effect_of_each_choice_is_documented() {
    let usual = Load { users: 1e5, ..Load::default() };
    let choices = [
        ("as above", usual),
        ("producers send batches to the queue (`--door queue`)", Load { door: Door::Queue, ..usual }),
        ("a heartbeat every minute (`--heartbeat 60`)", Load { heartbeat: 60.0, ..usual }),
        ("full batches (`--batch 10`)", Load { batch: 10.0, ..usual }),
        ("batches of one (`--batch 1`)", Load { batch: 1.0, ..usual }),
        ("no acknowledgements (`--acknowledged 0`)", Load { acknowledged: 0.0, ..usual }),
        ("everybody is connected (`--online 1`)", Load { online: 1.0, ..usual }),
        ("notifications of 8 KiB (`--bytes 8192`)", Load { bytes: 8192.0, ..usual }),
        ("no tracing (`--no-tracing`)", Load { tracing: false, ..usual }),
        ("an issuer of yours (`--no-cognito`)", Load { cognito: false, ..usual }),
    ];
    let mut table = format!("| change | {GROUPS}|---|{LINES}");
    for (name, load) in choices {
        writeln!(table, "| {name} | {} |", cells(&load)).unwrap();
    }
    check("choices", &table);
}

#[test]
fn prices_are_documented_with_their_dates() {
    let mut table = String::from("| unit | $ | then | last known | from |\n|---|--:|---|---|---|\n");
    let per_million = |price: f64| {
        let million = price * 1e6;
        if price < 1e-3 {
            format!("{million:.4}").trim_end_matches('0').trim_end_matches('.').to_owned() + " per million"
        } else {
            format!("{price}")
        }
    };
    for price in prices::ALL {
        let later: Vec<_> = price
            .tiers
            .iter()
            .map(|(_, price)| *price)
            .filter(|tier| *tier > 0.0 && *tier < price.first())
            .map(per_million)
            .collect();
        let free = price.tiers.iter().find(|(_, tier)| *tier == 0.0);
        let free = free.map(|(end, _)| format!(" after {} free", grouped(*end))).unwrap_or_default();
        let first = per_million(price.first());
        writeln!(
            table,
            "| {} | {first}{free} | {} | {} | <{}> |",
            price.unit,
            later.join(", "),
            price.known,
            price.page
        )
        .unwrap();
    }
    check("prices", &table.replace("|  |", "| |"));
}
