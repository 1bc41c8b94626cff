//! SIGINT, SIGTERM and SIGHUP: noted when they come and acted on where it is safe, so that what was started is stopped.

use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

const LISTENED: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

static LAST: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// From here on these signals no longer end the process by themselves.
pub(crate) fn listen() -> Result<()> {
    let last = LAST.get_or_init(Arc::default);
    for signal in LISTENED {
        let number = signal.as_raw();
        signal_hook::flag::register_usize(number, Arc::clone(last), usize::try_from(number)?)
            .context("signals cannot be listened to")?;
    }
    Ok(())
}

/// The signal that came since the last call.
pub(crate) fn take() -> Option<Signal> {
    let number = LAST.get()?.swap(0, Ordering::SeqCst);
    LISTENED.into_iter().find(|signal| usize::try_from(signal.as_raw()) == Ok(number))
}

/// Fails when a signal came: to be called between two steps.
pub(crate) fn check() -> Result<()> {
    match take() {
        Some(signal) => bail!(Interrupted(signal)),
        None => Ok(()),
    }
}

/// The error that a signal makes of whatever was going on.
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) Signal);

impl Interrupted {
    /// As shells count it: 128 and the signal's number.
    pub(crate) fn exit_code(&self) -> ExitCode {
        u8::try_from(self.0.as_raw()).map_or(ExitCode::FAILURE, |number| ExitCode::from(128 + number))
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            Signal::INT => "SIGINT",
            Signal::TERM => "SIGTERM",
            _ => "SIGHUP",
        };
        write!(f, "interrupted by {name}")
    }
}

impl std::error::Error for Interrupted {}
