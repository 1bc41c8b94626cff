//! The private folder of a database in memory, which ends with its process.
//!
//! `:memory:` would be one database for each connection; a file in a memory file system is one for all.

use std::fs::{DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "tessera-memory-";
const LOCK: &str = "lock";

/// A folder that is removed when it is dropped, or by the next start when its process was killed.
pub(super) struct Folder {
    path: PathBuf,
    /// Held as long as the process lives.
    _lock: File,
}

impl Folder {
    pub(super) fn make() -> io::Result<Self> {
        let base = base();
        sweep(&base);
        let name = format!("{PREFIX}{}-{}", std::process::id(), uuid::Uuid::now_v7().simple());
        let path = base.join(name);
        private().create(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn remove(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the folder of the database in memory could not be removed");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A memory file system where there is one.
fn base() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Removes what dead processes left behind.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if is_abandoned(&path) {
            // Somebody else may sweep at the same time, or it is another user's: either is fine.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

fn is_abandoned(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some((process, _)) = name.and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')) else {
        return false;
    };
    let alive = Path::new("/proc").is_dir() && Path::new("/proc").join(process).exists();
    // The process may live where its number is not seen; its lock is.
    !alive && File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_process_and_not_before() {
        let folder = Folder::make().unwrap();
        let path = folder.path().to_owned();
        assert!(!is_abandoned(&path));
        let dead = path.with_file_name(format!("{PREFIX}4194304999-x"));
        std::fs::create_dir_all(&dead).unwrap();
        File::create(dead.join(LOCK)).unwrap();
        sweep(path.parent().unwrap());
        assert!(path.exists());
        assert!(!dead.exists());
        drop(folder);
        assert!(!path.exists());
    }
}
