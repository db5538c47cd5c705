//! Keeps the server's files from other users of the machine.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Access of the group and of others.
const OTHERS: u32 = 0o077;
/// Write access of others.
const OTHERS_WRITE: u32 = 0o002;

/// A data directory that others can change.
#[derive(Debug, thiserror::Error)]
pub enum OpenToOthers {
    /// The directory belongs to another user, and everybody may write to it.
    #[error(
        "the data directory {} belongs to another user, and everybody may write to it; take it over with chown, or set its \
         mode to 0700",
        path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// A mode can't be read or changed.
    #[error("the access to {} can't be restricted", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// Returns the user, by number, to whom a data directory belongs, if it is neither this process's own nor root's. That user can
/// read and change all in it, whatever its mode.
pub fn other_owner(data_dir: &Path) -> Option<u32> {
    let metadata = fs::metadata(data_dir).ok()?;
    (metadata.uid() != 0 && !is_own(&metadata)).then(|| metadata.uid())
}

/// Makes new files of the process private: only its own user can use them.
pub fn make_new_files_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(OTHERS));
}

/// Takes the access of others from a data directory, and from all in it, that belong to this user. Returns the number of
/// files and directories that were open. A directory that does not exist yet is created as private; a file in its place
/// is reported by the server.
///
/// # Errors
/// [`OpenToOthers`] if everybody may write to a directory of another user.
pub fn close_to_others(data_dir: &Path) -> Result<usize, OpenToOthers> {
    let failed = |path: &Path, source| OpenToOthers::Io { path: path.to_owned(), source };
    let metadata = match fs::metadata(data_dir) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(0);
        }
        metadata => metadata.map_err(|source| failed(data_dir, source))?,
    };
    if !metadata.is_dir() {
        return Ok(0);
    }
    if !is_own(&metadata) && metadata.mode() & OTHERS_WRITE != 0 {
        return Err(OpenToOthers::Directory { path: data_dir.to_owned() });
    }
    let mut mended = usize::from(mend(data_dir, &metadata).map_err(|source| failed(data_dir, source))?);
    let mut directories = vec![data_dir.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).map_err(|source| failed(&directory, source))?;
        for entry in entries {
            let path = entry.map_err(|source| failed(&directory, source))?.path();
            // A link is left alone, and what it leads to.
            let metadata = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(|source| failed(&path, source))?,
            };
            if metadata.is_symlink() {
                continue;
            }
            mended += usize::from(mend(&path, &metadata).map_err(|source| failed(&path, source))?);
            if metadata.is_dir() {
                directories.push(path);
            }
        }
    }
    Ok(mended)
}

/// Takes the access of others from a file of this user. Returns true if they had any.
fn mend(path: &Path, metadata: &Metadata) -> io::Result<bool> {
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS == 0 || !is_own(metadata) {
        return Ok(false);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & !OTHERS))?;
    Ok(true)
}

fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn open_data_directory_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        assert_eq!(close_to_others(&data).unwrap(), 0);
        fs::create_dir_all(data.join("store")).unwrap();
        for (name, open) in [("", 0o755), ("store", 0o750), ("store/journal", 0o644), ("api-key", 0o640)] {
            let path = data.join(name);
            if open & 0o100 == 0 {
                fs::write(&path, "secret").unwrap();
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
        }
        assert_eq!(close_to_others(&data).unwrap(), 4);
        for (name, closed) in [("", 0o700), ("store", 0o700), ("store/journal", 0o600), ("api-key", 0o600)] {
            assert_eq!(mode(&data.join(name)), closed, "{name:?}");
        }
        assert_eq!(close_to_others(&data).unwrap(), 0);
    }

    #[test]
    fn other_owner_is_known() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(other_owner(directory.path()), None);
        assert_eq!(other_owner(&directory.path().join("absent")), None);
        // Only root may give a directory away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(directory.path(), Some(12_345), None).unwrap();
            assert_eq!(other_owner(directory.path()), Some(12_345));
        }
    }

    #[test]
    fn target_of_a_link_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let outside = directory.path().join("outside");
        fs::write(&outside, "").unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o644)).unwrap();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        std::os::unix::fs::symlink(&outside, data.join("link")).unwrap();
        close_to_others(&data).unwrap();
        assert_eq!(mode(&outside), 0o644);
    }
}
