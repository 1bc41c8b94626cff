//! How many files the host may have open: a connection is one, and so is each plugin release that is ready,
//! for its machine code is mapped from a file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lifts the limit as far as the system lets this process. The soft limit that shells and containers give,
/// often 1,024, is for programs that wait by `select`, which this one does not.
pub(crate) fn lift_limit() {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
    let lifted = if before.current == before.maximum { Ok(()) } else { setrlimit(Resource::Nofile, wanted) };
    let limit = getrlimit(Resource::Nofile).current;
    match lifted {
        Ok(()) => tracing::debug!(limit, before = before.current, "so many files may be open"),
        Err(error) => {
            tracing::warn!(limit, wanted = wanted.current, %error, "the limit of open files cannot be lifted");
        }
    }
}
