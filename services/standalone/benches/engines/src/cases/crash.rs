//! Kill, damage and full disk. The parent process kills and damages; these
//! are the parts that run in the child.

use std::io::Write;
use std::time::Duration;

use super::{Context, report};
use crate::data;
use crate::store::{Engine, Result, Want};

/// Writes for ever, printing the count of acknowledged notifications.
pub fn write(context: &Context) -> Result<()> {
    let engine = context.open()?;
    let mut out = std::io::stdout().lock();
    data::load(
        engine.as_ref(),
        0,
        context.rows,
        context.users,
        50,
        |acknowledged| {
            writeln!(out, "acknowledged\t{acknowledged}")?;
            out.flush()?;
            Ok(())
        },
    )?;
    println!("ready\t0");
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The stored sequences, sorted.
fn stored(engine: &dyn Engine) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    engine.scan(&[], &[0xFF], usize::MAX, Want::Rows, &mut |key, _| {
        if let Some(tail) = key.last_chunk() {
            found.push(u64::from_be_bytes(*tail));
        }
    })?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Opens what a killed writer left and counts what is there.
pub fn verify(context: &Context) -> Result<()> {
    let engine = context.open()?;
    let found = stored(engine.as_ref())?;
    report("rows found", found.len() as f64);
    let run = found.iter().zip(0..).take_while(|(a, b)| **a == *b).count();
    report("rows without gap", run as f64);
    let row = (data::key(0, u64::MAX), vec![0; 300]);
    engine.commit(vec![row], data::dedup(u64::MAX, 1))?;
    report("writes after open", 1.0);
    Ok(())
}

/// Fills the file system of the case's directory, then frees some.
pub fn full(context: &Context) -> Result<()> {
    let ballast = context.dir.join("ballast");
    std::fs::write(&ballast, vec![1; 96 << 20])?;
    let engine = context.open()?;
    let mut acknowledged = 0;
    let failed = data::load(engine.as_ref(), 0, u64::MAX / 2, 1000, 1000, |s| {
        acknowledged = s;
        Ok(())
    });
    let attempt = |what: &str, result: Result<()>| match result {
        Ok(()) => println!("# {what}: ok"),
        Err(error) => println!("# {what}: {error:?} ({error})"),
    };
    report("acknowledged", acknowledged as f64);
    attempt("commit on full disk", failed);
    let readable = |engine: &dyn Engine| -> Result<()> {
        let found = stored(engine)?;
        let run = found.iter().zip(0..).take_while(|(a, b)| **a == *b).count();
        println!("# found {}, without gap {run}", found.len());
        Ok(())
    };
    attempt("read on full disk", readable(engine.as_ref()));
    let one = |n: u64| vec![(data::key(0, (1 << 40) + n), vec![0; 300])];
    attempt(
        "second commit on full disk",
        engine.commit(one(0), data::dedup(1 << 40, 1)),
    );
    std::fs::remove_file(&ballast)?;
    attempt(
        "commit after space was freed",
        engine.commit(one(1), data::dedup(1 << 41, 1)),
    );
    attempt("read after space was freed", readable(engine.as_ref()));
    drop(engine);
    println!("# closed");
    let engine = context.open()?;
    attempt("read after reopening", readable(engine.as_ref()));
    attempt(
        "commit after reopening",
        engine.commit(one(2), data::dedup(1 << 42, 1)),
    );
    Ok(())
}
