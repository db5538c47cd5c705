//! Damages the log or data file of a killed store and looks at what opening
//! makes of it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::store::Result;

/// Places in the middle of the file where a bit is flipped, one per copy.
const FLIPS: u64 = 24;

/// The file that receives commits.
fn log_file(dir: &Path, engine: &str) -> Result<PathBuf> {
    Ok(match engine {
        "redb" => dir.join("db.redb"),
        "sqlite" => dir.join("db.sqlite-wal"),
        _ => {
            let entries = fs::read_dir(dir.join("fjall"))?.flatten();
            let journals = entries.map(|e| e.path());
            let mut journals: Vec<_> = journals
                .filter(|p| p.extension().is_some_and(|e| e == "jnl"))
                .collect();
            journals.sort();
            journals.pop().ok_or("no journal")?
        }
    })
}

/// Copies the files below `from` to `to`.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Opens the store in `dir` in a child and puts the outcome in words.
fn outcome(mut verify: Command, acknowledged: u64) -> Result<String> {
    let output = verify.stderr(std::process::Stdio::piped()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.trim().parse::<u64>().ok())
    };
    let (found, run) = (value("rows found\t"), value("rows without gap\t"));
    let error = String::from_utf8_lossy(&output.stderr);
    let reason = error.lines().find(|l| !l.is_empty()).unwrap_or("").trim();
    let reason: String = reason.chars().take(110).collect();
    Ok(match (found, run, output.status.success()) {
        (Some(found), Some(run), true) if run >= acknowledged => format!("all {found} there"),
        (Some(found), Some(run), true) if run == found => "opens, end silently lost".into(),
        (Some(_), Some(_), true) => "opens, rows missing in the middle".into(),
        (Some(_), _, false) => format!("reads, then fails: {reason}"),
        _ => format!("refused: {reason}"),
    })
}

/// Runs all kinds of damage against a copy of the store in `dir` each, and
/// prints how often each outcome came about.
pub fn run(
    engine: &str,
    dir: &Path,
    acknowledged: u64,
    verify: impl Fn(&Path) -> Result<Command>,
) -> Result<()> {
    let used = {
        let bytes = fs::read(log_file(dir, engine)?)?;
        bytes.iter().rposition(|b| *b != 0).map_or(0, |p| p + 1) as u64
    };
    let scratch = dir.with_extension("damaged");
    let attempt = |damage: &dyn Fn(&File) -> std::io::Result<()>| -> Result<String> {
        if scratch.exists() {
            fs::remove_dir_all(&scratch)?;
        }
        copy(dir, &scratch)?;
        let path = log_file(&scratch, engine)?;
        damage(&File::options().read(true).write(true).open(path)?)?;
        outcome(verify(&scratch)?, acknowledged)
    };
    let flip = |file: &File, at: u64| {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at)?;
        byte[0] ^= 0x10;
        file.write_all_at(&byte, at)
    };
    println!("# {engine}: {acknowledged} acknowledged, log {used} bytes");
    println!("# undamaged: {}", attempt(&|_| Ok(()))?);
    println!(
        "# cut by 300 bytes: {}",
        attempt(&|file| file.set_len(used - 300))?
    );
    println!(
        "# bit flipped 100 bytes before the end: {}",
        attempt(&|file| flip(file, used - 100))?
    );
    // What a power cut in the middle of writing a commit may leave.
    let hole = attempt(&|file| file.write_all_at(&[0; 4096], (used - 8192) / 4096 * 4096))?;
    println!("# zeroes in one page of the last commit: {hole}");
    let mut counts = std::collections::BTreeMap::<String, u32>::new();
    for n in 0..FLIPS {
        // Between a quarter and three quarters of the file, at odd places.
        let at = used / 4 + used / 2 * n / FLIPS + n * 13;
        *counts.entry(attempt(&|file| flip(file, at))?).or_default() += 1;
    }
    for (outcome, count) in counts {
        println!("# bit flipped in the middle, {count} of {FLIPS}: {outcome}");
    }
    // The headers of batches are few but decide where reading stops.
    let header = attempt(&|file| {
        let mut bytes = vec![0; used as usize];
        file.read_exact_at(&mut bytes, 0)?;
        let (key, middle) = (b"user-00500\0", used as usize / 2);
        let found = bytes[middle..].windows(key.len()).position(|w| w == key);
        // In fjall's journal the length of the value stands before the key.
        flip(file, found.map_or(middle, |p| middle + p - 3) as u64)
    })?;
    println!("# bit flipped in an entry's header in the middle: {header}");
    fs::remove_dir_all(&scratch)?;
    Ok(())
}
