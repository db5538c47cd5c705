//! Accepting, reading and deleting.

use std::time::Duration;

use super::{Context, measured, report};
use crate::data::{self, prefix};
use crate::store::{Engine, Result, Want};
use crate::{group, meter};

/// Rows of one page of a mailbox.
const PAGE: usize = 100;
/// Mailboxes read.
const MAILBOXES: u64 = 1000;

/// Durable accepts; `shape` is `<producers>x<notifications per request>`.
pub fn accept(context: &Context, shape: &str) -> Result<()> {
    let (producers, bulk) = shape.split_once('x').ok_or("shape is PxB")?;
    let engine = context.open()?;
    let cpu = meter::cpu();
    let outcome = group::run(
        engine.as_ref(),
        producers.parse()?,
        bulk.parse()?,
        context.users,
        Duration::from_secs(context.seconds),
    )?;
    let used = (meter::cpu() - cpu).as_secs_f64();
    let accepted = outcome.accepted as f64;
    report("accepts/s", accepted / outcome.elapsed.as_secs_f64());
    report("CPU us/accept", used * 1e6 / accepted);
    report("CPU cores", used / outcome.elapsed.as_secs_f64());
    report("rows/commit", accepted / outcome.commits as f64);
    report("wait p50 ms", outcome.wait_ms(0.5));
    report("wait p99 ms", outcome.wait_ms(0.99));
    report("wait max ms", outcome.wait_ms(1.0));
    report("memory MiB", meter::memory().0);
    report(
        "disk bytes/accept",
        meter::disk(&context.dir) * 1048576.0 / accepted,
    );
    Ok(())
}

/// Reads one page of every mailbox; `low` gives the first key wanted.
fn pages(engine: &dyn Engine, want: Want, low: impl Fn(u64) -> Vec<u8>) -> Result<u64> {
    let (mut rows, mut bytes) = (0, 0);
    for user in 0..MAILBOXES {
        let mut visit = |key: &[u8], value: &[u8]| bytes += key.len() + value.len();
        rows += engine.scan(&low(user), &data::end(user), PAGE, want, &mut visit)?;
    }
    assert!(bytes > 0, "nothing was read");
    Ok(rows as u64)
}

/// Pages and key listings of a full store, then with each mailbox's older
/// half deleted, and the deletes themselves.
pub fn reads(context: &Context) -> Result<()> {
    let users = MAILBOXES;
    let rows = context.rows;
    let engine = context.open()?;
    let engine = engine.as_ref();
    measured("load", || {
        data::load(engine, 0, rows, users, 4000, |_| Ok(())).map(|()| rows)
    })?;
    std::thread::sleep(Duration::from_secs(2));
    // The first pass fills the cache.
    pages(engine, Want::Rows, prefix)?;
    measured("page", || pages(engine, Want::Rows, prefix))?;
    measured("keys", || pages(engine, Want::Keys, prefix))?;
    let half = rows / 2;
    measured("delete", || {
        for from in (0..half).step_by(1000) {
            let keys = (from..(from + 1000).min(half)).map(|s| data::key(s % users, s));
            engine.delete(keys.collect())?;
        }
        Ok(half)
    })?;
    let hint = |user| data::key(user, half);
    measured("page after delete, from start", || {
        pages(engine, Want::Rows, prefix)
    })?;
    measured("page after delete, from low key", || {
        pages(engine, Want::Rows, hint)
    })?;
    measured("keys after delete, from low key", || {
        pages(engine, Want::Keys, hint)
    })?;
    Ok(())
}
