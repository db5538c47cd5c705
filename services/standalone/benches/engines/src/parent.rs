//! Starts one process per measurement and collects the medians.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::store::Result;
use crate::{Options, damage};

/// Cases of the whole comparison.
const ALL: [&str; 12] = [
    "accept:1x1",
    "accept:16x1",
    "accept:256x1",
    "accept:16x100",
    "accept:16x1000",
    "reads",
    "online",
    "bulk",
    "reopen",
    "kill",
    "damage",
    "lock",
];

/// Values in the order they were first reported: name, then one list of
/// figures per engine.
type Table = Vec<(String, Vec<Vec<f64>>)>;

/// Runs the cases of the command line and prints a table for each.
pub fn run(options: &Options) -> Result<()> {
    let cases = match options.cases.is_empty() {
        true => ALL.map(String::from).to_vec(),
        false => options.cases.clone(),
    };
    for case in &cases {
        let mut table: Table = Vec::new();
        for _ in 0..options.runs {
            for (column, engine) in options.engines.iter().enumerate() {
                for (name, value) in measure(options, engine, case)? {
                    let at = table.iter().position(|(n, _)| *n == name);
                    let at = at.unwrap_or_else(|| {
                        table.push((name, vec![Vec::new(); options.engines.len()]));
                        table.len() - 1
                    });
                    table[at].1[column].push(value);
                }
            }
        }
        print(options, case, &mut table);
    }
    Ok(())
}

/// Prints `table` with the median of each cell.
fn print(options: &Options, case: &str, table: &mut Table) {
    println!("\n| {case} | {} |", options.engines.join(" | "));
    println!("| --- |{}", " ---: |".repeat(options.engines.len()));
    for (name, columns) in table {
        let cells: Vec<String> = columns
            .iter_mut()
            .map(|figures| {
                figures.sort_by(f64::total_cmp);
                match figures.get(figures.len() / 2) {
                    Some(f) if *f >= 100.0 => format!("{f:.0}"),
                    Some(f) => format!("{f:.2}"),
                    None => "-".into(),
                }
            })
            .collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// One measurement of one engine, which may take several processes.
fn measure(options: &Options, engine: &str, case: &str) -> Result<Vec<(String, f64)>> {
    let dir = options.dir.join(engine);
    let child = |case: &str| command(options, engine, case, &dir);
    let mut all = Vec::new();
    match case {
        "reopen" => {
            all.extend(finish(child("load")?)?);
            all.extend(labelled("closed", finish(child("open")?)?));
            all.extend(finish_killed(child("load-hold")?, None)?);
            all.extend(labelled("killed", finish(child("open")?)?));
        }
        "kill" => {
            let time = Some(Duration::from_secs(options.seconds));
            let seen = finish_killed(child("crash")?, time)?;
            let last = seen.iter().map(|(_, value)| *value).fold(0.0, f64::max);
            all.push(("acknowledged".into(), last));
            all.extend(finish(child("verify")?)?);
        }
        "damage" => {
            let seen = finish_killed(child("crash")?, None)?;
            let last = seen.iter().map(|(_, value)| *value).fold(0.0, f64::max);
            let verify = |dir: &Path| command(options, engine, "verify", dir);
            damage::run(engine, &dir, last as u64, verify)?;
        }
        "lock" => {
            std::fs::create_dir_all(&dir)?;
            let held = hold(child("load-hold")?)?;
            let second = finish(child("open")?)?;
            println!("# {engine}, second process: opened {}", !second.is_empty());
            drop(held);
        }
        _ => all.extend(finish(child(case)?)?),
    }
    // Cases on a store that was left there keep it.
    if !matches!(case, "open" | "verify" | "full" | "load") {
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(all)
}

fn labelled(label: &str, figures: Vec<(String, f64)>) -> Vec<(String, f64)> {
    let each = |(name, value)| (format!("{label}: {name}"), value);
    figures.into_iter().map(each).collect()
}

/// The command of a child process.
fn command(options: &Options, engine: &str, case: &str, dir: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--child", case, "--engine", engine, "--dir"]);
    command.arg(dir).stdout(Stdio::piped());
    let numbers = [
        ("--rows", options.rows),
        ("--users", options.users),
        ("--seconds", options.seconds),
    ];
    for (name, value) in numbers {
        command.arg(name).arg(value.to_string());
    }
    for setting in &options.settings {
        command.args(["--set", setting]);
    }
    Ok(command)
}

/// A line `name<TAB>value`; other lines are passed on.
fn figure(line: &str) -> Option<(String, f64)> {
    let figure = line
        .split_once('\t')
        .and_then(|(name, value)| Some((name.to_string(), value.parse().ok()?)));
    if figure.is_none() {
        println!("{line}");
    }
    figure.filter(|(name, _)| name != "ready")
}

/// Waits for a child and returns its figures.
fn finish(mut command: Command) -> Result<Vec<(String, f64)>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        println!("# child failed: {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(figure).collect())
}

/// A child that is killed when this is dropped.
struct Held(std::process::Child);

impl Drop for Held {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a child and returns when it is ready.
fn hold(mut command: Command) -> Result<Held> {
    let mut held = Held(command.spawn()?);
    let output = held.0.stdout.take().ok_or("child has no output")?;
    for line in BufReader::new(output).lines() {
        if line?.starts_with("ready\t") {
            break;
        }
    }
    Ok(held)
}

/// Kills a child (SIGKILL) when it is ready or `time` has passed, and returns
/// what it reported until then.
fn finish_killed(mut command: Command, time: Option<Duration>) -> Result<Vec<(String, f64)>> {
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or("child has no output")?;
    let start = Instant::now();
    let mut figures = Vec::new();
    let mut killed = false;
    // After the kill the rest of the pipe is read: it was acknowledged too.
    for line in BufReader::new(output).lines() {
        let line = line?;
        let expired = time.is_some_and(|t| start.elapsed() > t);
        if !killed && (expired || line.starts_with("ready\t")) {
            child.kill()?;
            killed = true;
        }
        // The last line may be cut short; only whole ones count.
        figures.extend(figure(&line));
    }
    child.wait()?;
    Ok(figures)
}
