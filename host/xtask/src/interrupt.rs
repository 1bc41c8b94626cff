//! SIGINT, SIGTERM and SIGHUP are recorded and handled between two steps, so that servers are stopped before the end.

use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

const HANDLED: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

static LAST: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Installs the handlers. From here on these signals no longer end the process by themselves.
pub(crate) fn install() -> Result<()> {
    let last = LAST.get_or_init(Arc::default);
    for signal in HANDLED {
        let number = signal.as_raw();
        signal_hook::flag::register_usize(number, Arc::clone(last), usize::try_from(number)?)
            .context("the signal handlers cannot be installed")?;
    }
    Ok(())
}

/// Returns the signal that was received since the last call.
pub(crate) fn take() -> Option<Signal> {
    let number = LAST.get()?.swap(0, Ordering::SeqCst);
    HANDLED.into_iter().find(|signal| usize::try_from(signal.as_raw()) == Ok(number))
}

/// Fails if a signal was received. Called between two steps.
pub(crate) fn check() -> Result<()> {
    match take() {
        Some(signal) => bail!(Interrupted(signal)),
        None => Ok(()),
    }
}

/// The error after a signal.
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) Signal);

impl Interrupted {
    /// Returns 128 plus the signal's number, as shells do.
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
