//! The data folder. It and the host's files in it are private to the host's user.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rustix::fs::Mode;

use crate::config::Config;

/// The entries of the data folder that the host creates. SQLite creates its further files with the mode of the database.
const ENTRIES: [&str; 6] =
    ["secret.key", "tessera.db", "tessera.db-wal", "tessera.db-shm", "tessera.db-journal", "plugins"];

/// The permission bits of the group and of others.
const OTHER_USERS: u32 = 0o077;

/// The bit of folders in which every user may create files, such as `/tmp`.
const STICKY: u32 = 0o1000;

/// Creates the data folder if this configuration uses one, and takes other users' permissions away from existing files.
pub(crate) fn prepare(config: &Config) -> Result<()> {
    // For every file that the host creates from now on.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    if !config.uses_data_dir {
        return Ok(());
    }
    let folder = &config.data;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the folder {} cannot be created", folder.display()))?;
    make_private(folder)?;
    for name in ENTRIES {
        make_private(&folder.join(name))?;
    }
    Ok(())
}

/// Returns whether users other than the owner have permissions for a file; false if it cannot be read.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHER_USERS != 0)
}

/// Takes the permissions of other users away from a file or folder, if it exists.
fn make_private(path: &Path) -> Result<()> {
    let shown = path.display();
    let file = match fs::metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
    };
    let mode = file.permissions().mode() & 0o7777;
    if mode & OTHER_USERS == 0 {
        return Ok(());
    }
    if mode & STICKY != 0 {
        bail!("{shown} is a folder for all users; set TESSERA_DATA_DIR to a folder of the host's own");
    }
    let private = mode & !OTHER_USERS;
    fs::set_permissions(path, Permissions::from_mode(private)).with_context(|| {
        format!(
            "{shown} has the mode {mode:04o}, which other users can use, and the mode cannot be changed to {private:04o}; \
             make the host's user its owner, or set TESSERA_DATA_DIR to a folder below it"
        )
    })?;
    tracing::warn!(
        path = %shown,
        from = format_args!("{mode:04o}"),
        to = format_args!("{private:04o}"),
        "permissions of other users removed"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_for_all_users_is_refused_and_kept() {
        let folder = std::env::temp_dir().join(format!("tessera-shared-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        let refused = make_private(&folder).unwrap_err().to_string();
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o7777;
        fs::remove_dir(&folder).unwrap();
        assert!(refused.contains("for all users") && refused.contains("TESSERA_DATA_DIR"), "{refused}");
        assert_eq!(mode, 0o1777);
    }
}
