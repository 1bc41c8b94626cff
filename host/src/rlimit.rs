//! The process's limit of open files. Each connection needs one, and so does each loaded plugin release, whose machine
//! code is mapped from a file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one.
///
/// Shells and containers often set the soft limit to 1,024 for programs that use `select`. This one does not.
pub(crate) fn raise_open_files() {
    let Rlimit { current: soft, maximum: hard } = getrlimit(Resource::Nofile);
    if soft == hard {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }) {
        Ok(()) => tracing::debug!(soft, hard, "open-file limit raised"),
        Err(error) => tracing::warn!(soft, hard, %error, "open-file limit cannot be raised"),
    }
}
