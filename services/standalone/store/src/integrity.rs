//! Looking at a store before the engine opens it, without changing anything: is all there that was durable?
//!
//! What is checked, and what each check can't see, is in docs/adr/0008-storage-under-fire.md.

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

/// What the engine's own version file holds.
const VERSION: &[u8] = b"FJL\x03";

/// Something that is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Damage {
    /// A file is missing, or not as it was written.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A journal can't be read in one place; the engine would drop all that is behind it.
    Journal {
        /// The file.
        path: PathBuf,
        /// Where, in bytes.
        at: u64,
        /// How many bytes can't be read.
        bytes: u64,
    },
    /// Commits are missing that were durable.
    Commits {
        /// The first one.
        first: u64,
        /// The last one.
        last: u64,
        /// How many notifications were accepted by them, at most.
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

/// What a store holds, as far as it can be seen from outside.
pub(super) struct Found {
    pub(super) damage: Vec<Damage>,
    /// The last commit, whatever is missing before.
    pub(super) position: CommitPosition,
    /// Which keyspaces there are.
    pub(super) names: Vec<(u64, String)>,
    /// The journals, oldest first.
    pub(super) journals: Vec<PathBuf>,
    /// Batches in the journals.
    pub(super) batches: u64,
    /// An unfinished batch at the end of a journal, and its bytes: what was being written when the process
    /// or the machine stopped. The engine drops it.
    pub(super) unfinished: Option<(PathBuf, u64)>,
}

impl Found {
    /// The keyspace of that name.
    pub(super) fn keyspace(&self, name: &str) -> Option<u64> {
        self.names.iter().find(|(_, other)| other == name).map(|(id, _)| *id)
    }
}

/// Whether there is a store: not when nothing was begun, or its making was not finished.
pub(super) fn is_there(directory: &Path) -> bool {
    let is = |name: &str| directory.join(name).exists();
    let engine = engine::directory(directory).exists();
    engine || is(engine::REPAIRED) || (is(durable_marker::FILE) && !is(engine::NEW))
}

/// Looks at the store in `directory`.
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
            // There was no such space when the store was made.
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
    /// What came to a keyspace's table files under a key; notes what is wrong with them.
    fn stored(&mut self, engine: &Path, name: &str, key: &[u8]) -> Option<Vec<u8>> {
        let Some(id) = self.keyspace(name) else {
            let path = engine.join("keyspaces");
            self.damage.push(Damage::File { path, why: format!("the keyspace {name:?} is missing") });
            return None;
        };
        let tables = Tables::listed(engine, id);
        // These are read from beginning to end at the start: better now than when the engine is open.
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

/// The journals in the engine's folder, oldest first.
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
