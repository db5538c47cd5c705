//! Disk space, memory and opening time.

use std::time::{Duration, Instant};

use super::{Context, report};
use crate::data;
use crate::meter;
use crate::store::{Engine, Result, Want};

/// Notifications per commit and per delete.
const BATCH: u64 = 1000;

/// Reports disk and memory under `label`.
fn size(label: &str, context: &Context) {
    report(&format!("{label}: disk MiB"), meter::disk(&context.dir));
    report(&format!("{label}: memory MiB"), meter::memory().0);
}

/// Deletes notifications `from..until`.
fn delete(engine: &dyn Engine, context: &Context, from: u64, until: u64) -> Result<()> {
    for low in (from..until).step_by(BATCH as usize) {
        let keys = (low..(low + BATCH).min(until)).map(|s| data::key(s % context.users, s));
        engine.delete(keys.collect())?;
    }
    Ok(())
}

/// Reports sizes now, after a pause, and after maintenance.
fn settle(mut engine: Box<dyn Engine>, context: &Context) -> Result<()> {
    size("at the end", context);
    std::thread::sleep(Duration::from_secs(5));
    // A deployment is never quite idle: one more commit.
    let row = (data::key(0, u64::MAX), vec![0; 300]);
    engine.commit(vec![row], data::dedup(u64::MAX, 1))?;
    size("after 5 s", context);
    let start = Instant::now();
    engine.maintain()?;
    report("maintenance s", start.elapsed().as_secs_f64());
    size("after maintenance", context);
    // Files of older versions go when a newer one is made.
    let row = (data::key(0, u64::MAX - 1), vec![0; 300]);
    engine.commit(vec![row], data::dedup(u64::MAX - 1, 1))?;
    engine.maintain()?;
    size("after a second maintenance", context);
    Ok(())
}

/// Each notification is deleted 20 commits after it was inserted.
pub fn online(context: &Context) -> Result<()> {
    let engine = context.open()?;
    let behind = 20 * BATCH;
    let store = engine.as_ref();
    let mut peak: f64 = 0.0;
    data::load(store, 0, context.rows, context.users, BATCH, |s| {
        if s.is_multiple_of(100_000) {
            peak = peak.max(meter::disk(&context.dir));
        }
        match s.checked_sub(behind) {
            Some(until) => delete(store, context, until.saturating_sub(BATCH), until),
            None => Ok(()),
        }
    })?;
    report("peak disk MiB", peak);
    let left = context.rows.saturating_sub(behind);
    delete(store, context, left, context.rows)?;
    settle(engine, context)
}

/// All are inserted, then all are deleted.
pub fn bulk(context: &Context) -> Result<()> {
    let engine = context.open()?;
    let store = engine.as_ref();
    data::load(store, 0, context.rows, context.users, BATCH, |_| Ok(()))?;
    size("loaded", context);
    delete(store, context, 0, context.rows)?;
    settle(engine, context)
}

/// Leaves a store behind: closed, or, with `hold`, waiting to be killed.
pub fn load(context: &Context, hold: bool) -> Result<()> {
    let engine = context.open()?;
    data::load(
        engine.as_ref(),
        0,
        context.rows,
        context.users,
        4000,
        |_| Ok(()),
    )?;
    size("loaded", context);
    report("total memory MiB", meter::memory().1);
    println!("ready\t0");
    if hold {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    let start = Instant::now();
    drop(engine);
    report("close ms", start.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}

/// Opens what an earlier case left and reads one row.
pub fn open(context: &Context) -> Result<()> {
    let start = Instant::now();
    let engine = context.open()?;
    engine.scan(&[], &[0xFF], 1, Want::Rows, &mut |_, _| ())?;
    report("open ms", start.elapsed().as_secs_f64() * 1000.0);
    size("opened", context);
    Ok(())
}
