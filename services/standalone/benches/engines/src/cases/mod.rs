//! What is measured. Each case runs in a process of its own.

mod crash;
mod space;
mod speed;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::meter;
use crate::store::{self, Engine, Result, Tuning};

/// Everything a case needs to know.
pub struct Context {
    /// Engine name.
    pub engine: String,
    /// Engine settings.
    pub tuning: Tuning,
    /// Directory for this case's files.
    pub dir: PathBuf,
    /// Number of rows of the cases that load a store.
    pub rows: u64,
    /// Number of users.
    pub users: u64,
    /// Seconds an `accept` case runs.
    pub seconds: u64,
}

impl Context {
    /// Opens the engine in the case's directory.
    pub fn open(&self) -> Result<Box<dyn Engine>> {
        store::open(&self.engine, &self.dir, &self.tuning)
    }
}

/// Prints one measured value for the parent process to collect.
pub fn report(name: &str, value: f64) {
    println!("{name}\t{value}");
}

/// Runs `work`, then reports its rate and CPU time per row.
fn measured(name: &str, work: impl FnOnce() -> Result<u64>) -> Result<()> {
    let (cpu, start) = (meter::cpu(), Instant::now());
    let rows = work()? as f64;
    let elapsed = start.elapsed().as_secs_f64();
    report(&format!("{name} rows/s"), rows / elapsed);
    let used = (meter::cpu() - cpu).as_secs_f64();
    report(&format!("{name} CPU us/row"), used * 1e6 / rows);
    Ok(())
}

/// Starts from an empty directory, or keeps what an earlier case left there.
fn fresh(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    std::fs::create_dir_all(dir)?;
    Ok(())
}

/// Runs the case called `name`.
pub fn run(name: &str, context: &Context) -> Result<()> {
    if let Some(shape) = name.strip_prefix("accept:") {
        fresh(&context.dir)?;
        return speed::accept(context, shape);
    }
    match name {
        // These look at what an earlier case left.
        "open" => return space::open(context),
        "verify" => return crash::verify(context),
        "full" => return crash::full(context),
        _ => fresh(&context.dir)?,
    }
    match name {
        "reads" => speed::reads(context),
        "online" => space::online(context),
        "bulk" => space::bulk(context),
        "load" => space::load(context, false),
        "load-hold" => space::load(context, true),
        "crash" => crash::write(context),
        _ => Err(format!("unknown case {name}").into()),
    }
}
