//! Private folder of a database in memory, which is deleted with its process.
//!
//! `:memory:` would be a database for each connection; a file in a memory file system is shared.

use std::fs::{DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "tessera-memory-";
const LOCK: &str = "lock";

/// A folder that is deleted on drop, or by the next start if its process was killed.
pub(super) struct TempFolder {
    path: PathBuf,
    /// Locked for the life of the process.
    _lock: File,
}

impl TempFolder {
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
            tracing::warn!(%error, "deletion of the in-memory database failed");
        }
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Returns a memory file system, if there is one.
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

/// Deletes folders of dead processes.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if is_abandoned(&path) {
            // Fails if another process deletes it too, or if it belongs to another user.
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
    // A process in another PID namespace is not visible, but its lock is.
    !alive && File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_dead_processes_are_deleted() {
        let folder = TempFolder::make().unwrap();
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
