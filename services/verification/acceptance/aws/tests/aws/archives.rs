//! Archives of functions depend on nothing but the binary.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../scripts/build-lambdas");
const FUNCTION: &str = "dispatcher";

fn pack(from: &Path, to: &Path) -> Output {
    Command::new(SCRIPT).arg("--pack").args([from, to]).arg(FUNCTION).output().unwrap()
}

/// Packs a binary with this content, mode and age, and returns the archive.
fn archive(data: &[u8], mode: u32, age: Duration) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join(FUNCTION);
    fs::write(&binary, data).unwrap();
    File::options().write(true).open(&binary).unwrap().set_modified(SystemTime::now() - age).unwrap();
    fs::set_permissions(&binary, Permissions::from_mode(mode)).unwrap();
    let packed = pack(folder.path(), folder.path());
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    fs::read(folder.path().join(format!("{FUNCTION}.zip"))).unwrap()
}

/// The entries of an archive as `[[name, mode, content], ...]`, read with Python.
fn entries(archive: &[u8]) -> Value {
    const READ: &str = "\
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    print(json.dumps([
        [entry.filename, oct(entry.external_attr >> 16), archive.read(entry).decode('latin-1')]
        for entry in archive.infolist()
    ]))";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("archive.zip");
    fs::write(&file, archive).unwrap();
    let read = Command::new("python3").args(["-c", READ]).arg(&file).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

#[test]
fn same_binary_gives_same_archive() {
    let data = b"\x7fELF and more, more, more";
    let first = archive(data, 0o755, Duration::ZERO);
    assert_eq!(first, archive(data, 0o755, Duration::ZERO));
    // The age and the mode of the file make no difference.
    assert_eq!(first, archive(data, 0o600, Duration::from_hours(24 * 365)));
    assert_ne!(first, archive(b"\x7fELF and less", 0o755, Duration::ZERO));
}

#[test]
fn archive_holds_only_an_executable_bootstrap() {
    let archive = archive(b"\x7fELF", 0o600, Duration::ZERO);
    assert_eq!(entries(&archive), json!([["bootstrap", "0o100755", "\u{7f}ELF"]]));
}

#[test]
fn binary_is_found_in_the_cross_build_folder() {
    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().join(FUNCTION);
    fs::create_dir(&built).unwrap();
    fs::write(built.join("bootstrap"), b"\x7fELF").unwrap();
    let out = folder.path().join("out");
    assert!(pack(folder.path(), &out).status.success());
    let packed = fs::read(out.join(format!("{FUNCTION}.zip"))).unwrap();
    assert_eq!(packed, archive(b"\x7fELF", 0o755, Duration::ZERO));
    assert!(!pack(&folder.path().join("nowhere"), &out).status.success());
}
