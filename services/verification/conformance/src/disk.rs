//! A disk small enough to be filled up.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const BLOCK: usize = 64 * 1024;

/// A tmpfs of its own, unmounted when dropped. Mounting it takes root.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a disk of `mib` MiB on an empty directory.
    ///
    /// # Panics
    /// When it can't be mounted.
    pub fn mount(directory: &Path, mib: usize) -> Self {
        let size = format!("size={mib}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory).status();
        let mounted = mount.is_ok_and(|status| status.success());
        assert!(mounted, "this test mounts a tmpfs to fill it up: it has to run as root");
        Self(directory.to_owned())
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Fills the disk but for 256 KiB.
    pub fn fill(&self) {
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        let block = vec![0; BLOCK];
        let mut written = 0;
        while ballast.write_all(&block).is_ok() {
            written += BLOCK as u64;
        }
        ballast.set_len(written.saturating_sub(4 * BLOCK as u64)).unwrap();
    }

    /// Gives back what [`SmallDisk::fill`] took.
    pub fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file open on it keeps it until then.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
