//! As whom a server runs. Some refuse to run as root; then another user must also be able to reach its files.

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
    /// We ourselves.
    Own,
    /// Another one; only root can choose that.
    Other { uid: u32, gid: u32 },
}

impl User {
    /// Ourselves or, when we are root, the user of this name.
    pub(super) fn unless_root(name: &str) -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Own);
        }
        let id = |of| -> Result<u32> {
            let said = output(Command::new("id").args([of, name]))
                .with_context(|| format!("the server does not run as root, and there is no user `{name}`"))?;
            Ok(said.trim().parse()?)
        };
        Ok(Self::Other { uid: id("-u")?, gid: id("-g")? })
    }

    /// A command of this user, in a folder that the user can be in and without the caller's search paths.
    pub(super) fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env("LC_ALL", "C").env("HOME", folder).env_remove("LD_LIBRARY_PATH");
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes a folder for this user alone: the wanted one, or one below the system's temporary folder.
    pub(super) fn folder(self, wanted: &Path) -> Result<PathBuf> {
        let above = wanted.parent().context("a server's folder has one above it")?;
        fs::create_dir_all(above).with_context(|| format!("{} cannot be made", above.display()))?;
        if self.reaches(above)? {
            self.make(wanted).with_context(|| format!("{} cannot be made", wanted.display()))?;
            return Ok(wanted.to_path_buf());
        }
        let name = wanted.file_name().unwrap_or_default().to_string_lossy();
        for temporary in [env::temp_dir(), "/tmp".into(), "/var/tmp".into()] {
            if !temporary.is_dir() || !self.reaches(&temporary)? {
                continue;
            }
            // Numbered, since a name that is taken is never used: it may be a trap of another user.
            for number in 0..100 {
                let folder = temporary.join(format!("tessera-{name}-{}-{number}", process::id()));
                match self.make(&folder) {
                    Ok(()) => return Ok(folder),
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    Err(error) => {
                        return Err(error).with_context(|| format!("{} cannot be made", folder.display()));
                    }
                }
            }
        }
        bail!("the server's user reaches neither {} nor a temporary folder", above.display())
    }

    fn make(self, folder: &Path) -> std::io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)?;
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(folder, Some(uid), Some(gid)),
        }
    }

    fn reaches(self, folder: &Path) -> Result<bool> {
        let Self::Other { uid, gid } = self else { return Ok(true) };
        let folder =
            folder.canonicalize().with_context(|| format!("{} cannot be found", folder.display()))?;
        for above in folder.ancestors() {
            if !may_enter(&fs::metadata(above)?, uid, gid) {
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
    fn a_folder_below_a_closed_one_is_out_of_reach_of_others() {
        let closed = env::temp_dir().join(format!("tessera-closed-{}", process::id()));
        let inner = closed.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let owner = fs::metadata(&inner).unwrap();
        let other = User::Other { uid: owner.uid() + 1, gid: owner.gid() + 1 };
        let open_to = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();

        open_to(0o700);
        assert!(!other.reaches(&inner).unwrap());
        assert!(User::Own.reaches(&inner).unwrap());
        open_to(0o711);
        assert!(other.reaches(&inner).unwrap());
        fs::remove_dir_all(&closed).unwrap();
    }
}
