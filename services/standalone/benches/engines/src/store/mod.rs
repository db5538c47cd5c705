//! The storage engines under comparison, behind one small trait.

mod fjall;
mod redb;
mod sqlite;

use std::path::Path;

/// Any failure of an engine or of the benchmark itself.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// Result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// One row to be written: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Callback of [`Engine::scan`]: key, and the value or an empty slice.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]);

/// What to read in a [`Engine::scan`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Keys only; the value passed to the visitor is empty.
    Keys,
    /// Keys and values.
    Rows,
}

/// Tuning shared by all engines. Each engine uses the fields it knows.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Block or page cache, MiB.
    pub cache_mb: u64,
    /// fjall: size of the memtable of `notifications`, MiB.
    pub memtable_mb: u64,
    /// fjall: upper limit of all journals, MiB.
    pub journal_mb: u64,
    /// fjall: number of flush and compaction threads.
    pub workers: usize,
    /// fjall: block size, KiB.
    pub block_kb: u32,
    /// fjall: compress data blocks with lz4 on every level.
    pub lz4: bool,
    /// fjall: `fsync` (true) or `fdatasync` (false) per commit.
    pub sync_all: bool,
    /// redb: write the allocator state with each commit for fast repair.
    pub quick_repair: bool,
    /// SQLite: page size in bytes.
    pub page_size: u32,
    /// SQLite: pages in the log before a checkpoint.
    pub checkpoint_pages: u32,
    /// SQLite: bytes of the database file mapped into memory, MiB.
    pub mmap_mb: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            cache_mb: 64,
            memtable_mb: 64,
            journal_mb: 128,
            workers: 2,
            block_kb: 4,
            lz4: false,
            sync_all: false,
            quick_repair: false,
            page_size: 8192,
            checkpoint_pages: 16_384,
            mmap_mb: 0,
        }
    }
}

impl Tuning {
    /// Applies one `name=value` setting from the command line.
    pub fn set(&mut self, setting: &str) -> Result<()> {
        let (name, value) = setting.split_once('=').ok_or("expected name=value")?;
        match name {
            "cache_mb" => self.cache_mb = value.parse()?,
            "memtable_mb" => self.memtable_mb = value.parse()?,
            "journal_mb" => self.journal_mb = value.parse()?,
            "workers" => self.workers = value.parse()?,
            "block_kb" => self.block_kb = value.parse()?,
            "lz4" => self.lz4 = value.parse()?,
            "sync_all" => self.sync_all = value.parse()?,
            "quick_repair" => self.quick_repair = value.parse()?,
            "page_size" => self.page_size = value.parse()?,
            "checkpoint_pages" => self.checkpoint_pages = value.parse()?,
            "mmap_mb" => self.mmap_mb = value.parse()?,
            _ => return Err(format!("unknown setting {name}").into()),
        }
        Ok(())
    }
}

/// The operations the gateway needs from its storage engine.
pub trait Engine: Send + Sync {
    /// Writes `rows` and one `dedup` row in one atomic, durable commit.
    fn commit(&self, rows: Vec<Row>, dedup: Row) -> Result<()>;

    /// Deletes `keys` from `notifications` atomically, without waiting for
    /// the disk.
    fn delete(&self, keys: Vec<Vec<u8>>) -> Result<()>;

    /// Visits up to `limit` rows with `low <= key < high` in key order and
    /// returns how many there were.
    fn scan(
        &self,
        low: &[u8],
        high: &[u8],
        limit: usize,
        want: Want,
        visit: Visit<'_>,
    ) -> Result<usize>;

    /// Runs whatever the engine offers for giving space back.
    fn maintain(&mut self) -> Result<()>;
}

/// Names accepted by [`open`].
pub const ENGINES: [&str; 3] = ["fjall", "redb", "sqlite"];

/// Opens, creating if needed, the engine called `name` in `dir`.
pub fn open(name: &str, dir: &Path, tuning: &Tuning) -> Result<Box<dyn Engine>> {
    std::fs::create_dir_all(dir)?;
    Ok(match name {
        "fjall" => Box::new(fjall::Fjall::open(dir, tuning)?),
        "redb" => Box::new(redb::Redb::open(dir, tuning)?),
        "sqlite" => Box::new(sqlite::Sqlite::open(dir, tuning)?),
        _ => return Err(format!("unknown engine {name}").into()),
    })
}
