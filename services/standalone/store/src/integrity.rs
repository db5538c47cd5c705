//! Checks, before the engine opens a store and without changing a file, that everything durable is there.
//!
//! docs/adr/0008-storage-under-fire.md lists the checks and what they can't see.

mod chain;
mod files;
pub(super) mod journal;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::commit_position::{
    CommitPosition, CommitRecord, KEYSPACES, Keyspace, META, NUMBER_KEY, RECORD_KEY,
};
use super::durable_marker;
use super::engine;
use chain::Chain;
use files::BadFile;

pub(super) use files::{Tables, rows};
pub(super) use journal::{Piece, Pieces};

/// Contents of the engine's version file.
const VERSION: &[u8] = b"FJL\x03";

/// One item of damage to a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Damage {
    /// A file is missing or was changed.
    File {
        /// The file.
        path: PathBuf,
        /// The fault.
        why: String,
    },
    /// Part of a journal can't be read. The engine would drop everything behind it.
    Journal {
        /// The file.
        path: PathBuf,
        /// Offset of the part, in bytes.
        at: u64,
        /// Length of the part, in bytes.
        bytes: u64,
    },
    /// Durable commits are missing.
    Commits {
        /// The first missing commit.
        first: u64,
        /// The last missing commit.
        last: u64,
        /// Most notifications that they had accepted.
        notifications: u64,
    },
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Journal { path, at, bytes } => {
                write!(f, "{}: {bytes} bytes from byte {at} on can't be read", path.display())
            }
            Self::Commits { first, last, notifications } => write!(
                f,
                "commits {first} to {last} are missing, and with them up to {notifications} accepted \
                 notifications"
            ),
        }
    }
}

impl From<BadFile> for Damage {
    fn from(BadFile { path, why }: BadFile) -> Self {
        Self::File { path, why }
    }
}

/// The contents of a store, as far as its files show them.
pub(super) struct Found {
    pub(super) damage: Vec<Damage>,
    /// The last commit, with or without gaps before it.
    pub(super) position: CommitPosition,
    /// The keyspaces.
    pub(super) names: Vec<(u64, String)>,
    /// The journals, oldest first.
    pub(super) journals: Vec<PathBuf>,
    /// Batches in the journals.
    pub(super) batches: u64,
    /// An unfinished batch at the end of a journal, and its length in bytes: what was being written when the
    /// process or the machine stopped. The engine drops it.
    pub(super) unfinished: Option<(PathBuf, u64)>,
}

impl Found {
    /// Returns the engine's id of the keyspace of that name.
    pub(super) fn keyspace(&self, name: &str) -> Option<u64> {
        self.names.iter().find(|(_, other)| other == name).map(|(id, _)| *id)
    }
}

/// Returns true if there is a store: false before the first start, and after one that was interrupted.
pub(super) fn is_there(directory: &Path) -> bool {
    let is = |name: &str| directory.join(name).exists();
    let engine = engine::directory(directory).exists();
    engine || is(engine::REPAIRED) || (is(durable_marker::FILE) && !is(engine::NEW))
}

/// Reads the files of the store in `directory`.
pub(super) fn look(directory: &Path) -> Found {
    let engine = engine::directory(directory);
    let mut damage = Vec::new();
    let marked = match durable_marker::read(directory) {
        Ok(Some(marked)) => Some(marked),
        Ok(None) => {
            damage.push(Damage::File {
                path: directory.join(durable_marker::FILE),
                why: "it is missing".to_owned(),
            });
            None
        }
        Err(error) => {
            damage.push(Damage::File { path: directory.join(durable_marker::FILE), why: error.to_string() });
            None
        }
    };
    let version = engine.join("version");
    match std::fs::read(&version) {
        Ok(bytes) if bytes == VERSION => {}
        Ok(_) => damage.push(Damage::File { path: version, why: "it is not as it was written".to_owned() }),
        Err(error) => damage.push(Damage::File { path: version, why: error.to_string() }),
    }
    let (names, bad) = files::names(&engine);
    damage.extend(bad.into_iter().map(Damage::from));
    let mut found = Found {
        damage,
        position: CommitPosition::EMPTY,
        names,
        journals: journals(&engine),
        batches: 0,
        unfinished: None,
    };
    let mut reach = [0; KEYSPACES];
    for keyspace in Keyspace::ALL {
        let unused = marked.as_ref().is_some_and(|marked| marked.reach[keyspace as usize] == 0);
        if unused && found.keyspace(keyspace.name()).is_none() {
            // A store made before this keyspace existed.
            continue;
        }
        let number = found.stored(&engine, keyspace.name(), NUMBER_KEY);
        let number = number.and_then(|value| value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)));
        reach[keyspace as usize] = number.unwrap_or(0);
    }
    let record = found.stored(&engine, META, RECORD_KEY).and_then(|value| CommitRecord::decode(&value).ok());
    let meta = found.keyspace(META).unwrap_or(u64::MAX);
    let mut chain = Chain::new(reach, record, marked);
    for path in &found.journals {
        match journal::read(path) {
            Ok(bytes) => chain.follow(path, &bytes, meta),
            Err(error) => found.damage.push(Damage::File { path: path.clone(), why: error.to_string() }),
        }
    }
    chain.finish(&mut found);
    found
}

impl Found {
    /// Returns the value of a key in a keyspace's table files, and records their damage.
    fn stored(&mut self, engine: &Path, name: &str, key: &[u8]) -> Option<Vec<u8>> {
        let Some(id) = self.keyspace(name) else {
            let path = engine.join("keyspaces");
            self.damage.push(Damage::File { path, why: format!("the keyspace {name:?} is missing") });
            return None;
        };
        let tables = Tables::listed(engine, id);
        // The start reads these keyspaces whole: damage should show before the engine is open.
        if [Keyspace::Dedup, Keyspace::DeadLetters, Keyspace::PendingRecords]
            .map(Keyspace::name)
            .contains(&name)
        {
            self.damage.extend(tables.read_through().into_iter().map(Damage::from));
        }
        let value = tables.get(key);
        self.damage.extend(tables.bad.into_iter().map(Damage::from));
        match value {
            Ok(value) => value.map(|value| value.value.to_vec()),
            Err(bad) => {
                self.damage.push(bad.into());
                None
            }
        }
    }
}

/// Returns the journals in the engine's folder, oldest first.
pub(super) fn journals(engine: &Path) -> Vec<PathBuf> {
    let number = |path: PathBuf| {
        let number = path.file_name()?.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok()?;
        Some((number, path))
    };
    let files = std::fs::read_dir(engine).into_iter().flatten().flatten();
    let mut journals: Vec<_> = files.filter_map(|file| number(file.path())).collect();
    journals.sort();
    journals.into_iter().map(|(_, path)| path).collect()
}
