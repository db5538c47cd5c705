//! The kinds of damage that are tried.

use std::path::{Path, PathBuf};

use super::seed::{Seed, walk};

/// A change of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Cut,
    Flip,
    Zeroes,
    Removed,
    Older,
}

#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Flip(usize),
    Zeroes(usize, usize),
    Removed,
    Older,
}

/// A change of one file.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    file: PathBuf,
    damage: Damage,
}

impl Case {
    pub(crate) const fn kind(&self) -> Kind {
        match self.damage {
            Damage::Cut(_) => Kind::Cut,
            Damage::Flip(_) => Kind::Flip,
            Damage::Zeroes(..) => Kind::Zeroes,
            Damage::Removed => Kind::Removed,
            Damage::Older => Kind::Older,
        }
    }

    /// The kind of file.
    pub(crate) fn file_kind(&self) -> String {
        let name = self.file.file_name().unwrap().to_str().unwrap();
        let kind = match name {
            "current" | "mark" | "version" | "lock" => name,
            _ if self.file.extension().is_some_and(|extension| extension == "jnl") => "journal",
            _ if self.file.parent().is_some_and(|parent| parent.ends_with("tables")) => "table",
            _ => "manifest",
        };
        kind.to_owned()
    }

    pub(crate) fn apply(&self, seed: &Seed, directory: &Path) {
        let path = directory.join(&self.file);
        let change = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = std::fs::read(&path).unwrap();
            change(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
        };
        match self.damage {
            Damage::Cut(at) => change(&|bytes| bytes.truncate(at)),
            Damage::Flip(bit) => change(&|bytes| bytes[bit / 8] ^= 1 << (bit % 8)),
            Damage::Zeroes(from, count) => change(&|bytes| {
                let to = (from + count).min(bytes.len());
                bytes[from..to].fill(0);
            }),
            Damage::Removed => std::fs::remove_file(path).unwrap(),
            Damage::Older => _ = std::fs::copy(seed.older.path().join(&self.file), path).unwrap(),
        }
    }
}

/// Pseudo-random numbers, the same each time.
struct Numbers(u64);

impl Numbers {
    /// Returns a number below `end`. The constants are those of Knuth's MMIX.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// Makes about `count` cases: some of each kind for each file, the others anywhere.
pub(crate) fn cases(seed: &Seed, count: usize) -> Vec<Case> {
    let mut files = Vec::new();
    walk(seed.now.path(), Path::new(""), &mut files);
    files.sort();
    let mut numbers = Numbers(1);
    let mut cases = Vec::new();
    let mut round = 0;
    while cases.len() < count {
        for file in &files {
            let len = usize::try_from(std::fs::metadata(seed.now.path().join(file)).unwrap().len()).unwrap();
            let mut add = |damage| cases.push(Case { file: file.clone(), damage });
            if round == 0 {
                add(Damage::Removed);
                if seed.older.path().join(file).exists() {
                    add(Damage::Older);
                }
                if len > 0 {
                    add(Damage::Cut(0));
                    add(Damage::Cut(len - 1));
                }
            }
            if len == 0 {
                continue;
            }
            add(Damage::Flip(numbers.below(len * 8)));
            match round % 3 {
                0 => add(Damage::Zeroes(numbers.below(len.div_ceil(512)) * 512, 512)),
                1 => add(Damage::Cut(numbers.below(len))),
                _ => add(Damage::Zeroes(numbers.below(len.div_ceil(4_096)) * 4_096, 4_096)),
            }
        }
        round += 1;
    }
    cases
}
