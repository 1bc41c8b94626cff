//! The user of a server. PostgreSQL refuses to run as root, and another user must be able to access its files.

use std::env;
use std::fs::{self, DirBuilder, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::process::output;

/// The user of a server's processes and files.
#[derive(Debug, Clone, Copy)]
pub(super) enum User {
    /// The user of this process.
    Own,
    /// Another user, which only root can choose.
    Other { uid: u32, gid: u32 },
}

impl User {
    /// Returns the user of this process or, if that is root, the user of this name.
    pub(super) fn unless_root(name: &str) -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Own);
        }
        let id = |of| -> Result<u32> {
            let text = output(Command::new("id").args([of, name]))
                .with_context(|| format!("the server does not run as root, and there is no user `{name}`"))?;
            Ok(text.trim().parse()?)
        };
        Ok(Self::Other { uid: id("-u")?, gid: id("-g")? })
    }

    /// Returns a command that runs as this user in that folder, without the caller's library path.
    pub(super) fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env("LC_ALL", "C").env("HOME", folder).env_remove("LD_LIBRARY_PATH");
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Creates a folder that only this user can access: the preferred one, or one in a temporary folder of the system.
    pub(super) fn create_folder(self, preferred: &Path) -> Result<PathBuf> {
        let parent = preferred.parent().context("the folder of a server has no parent")?;
        fs::create_dir_all(parent).with_context(|| format!("{} cannot be created", parent.display()))?;
        if self.can_access(parent)? {
            self.create(preferred).with_context(|| format!("{} cannot be created", preferred.display()))?;
            return Ok(preferred.to_path_buf());
        }
        let name = preferred.file_name().unwrap_or_default().to_string_lossy();
        for temporary in [env::temp_dir(), "/tmp".into(), "/var/tmp".into()] {
            if !temporary.is_dir() || !self.can_access(&temporary)? {
                continue;
            }
            // An existing folder is never used, since it may belong to another user.
            for number in 0..100 {
                let folder = temporary.join(format!("tessera-{name}-{}-{number}", process::id()));
                match self.create(&folder) {
                    Ok(()) => return Ok(folder),
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    Err(error) => {
                        return Err(error).with_context(|| format!("{} cannot be created", folder.display()));
                    }
                }
            }
        }
        bail!("the server's user can access neither {} nor a temporary folder", parent.display())
    }

    fn create(self, folder: &Path) -> std::io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)?;
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(folder, Some(uid), Some(gid)),
        }
    }

    fn can_access(self, folder: &Path) -> Result<bool> {
        let Self::Other { uid, gid } = self else { return Ok(true) };
        let folder =
            folder.canonicalize().with_context(|| format!("{} cannot be found", folder.display()))?;
        for ancestor in folder.ancestors() {
            if !may_enter(&fs::metadata(ancestor)?, uid, gid) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn may_enter(folder: &Metadata, uid: u32, gid: u32) -> bool {
    let needed = if folder.uid() == uid {
        0o100
    } else if folder.gid() == gid {
        0o010
    } else {
        0o001
    };
    folder.mode() & needed != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn folder_inside_a_private_one_is_inaccessible_to_others() {
        let closed = env::temp_dir().join(format!("tessera-closed-{}", process::id()));
        let inner = closed.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let owner = fs::metadata(&inner).unwrap();
        let other = User::Other { uid: owner.uid() + 1, gid: owner.gid() + 1 };
        let open_to = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();

        open_to(0o700);
        assert!(!other.can_access(&inner).unwrap());
        assert!(User::Own.can_access(&inner).unwrap());
        open_to(0o711);
        assert!(other.can_access(&inner).unwrap());
        fs::remove_dir_all(&closed).unwrap();
    }
}
