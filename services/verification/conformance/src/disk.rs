//! A small disk for tests of a full disk.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const BLOCK: usize = 64 * 1024;

/// A tmpfs, unmounted when dropped. Mounting it takes root.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a disk of `mib` MiB on an empty directory.
    ///
    /// # Panics
    /// The disk can't be mounted.
    pub fn mount(directory: &Path, mib: usize) -> Self {
        let size = format!("size={mib}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory).status();
        let mounted = mount.is_ok_and(|status| status.success());
        assert!(mounted, "this test mounts a tmpfs to fill it up: it has to run as root");
        Self(directory.to_owned())
    }

    /// The directory on which it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Fills the disk except for 256 KiB.
    pub fn fill(&self) {
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        let block = vec![0; BLOCK];
        let mut written = 0;
        while ballast.write_all(&block).is_ok() {
            written += BLOCK as u64;
        }
        ballast.set_len(written.saturating_sub(4 * BLOCK as u64)).unwrap();
    }

    /// Frees the space that [`SmallDisk::fill`] took.
    pub fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process with a file open on it keeps it until the file is closed.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
