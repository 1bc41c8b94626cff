//! Advances the engine's epoch while there are calls, so that guests are interrupted regularly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tessera_core::{Error, Result};
use wasmtime::Engine;

/// How often a running guest is interrupted.
const TICK: Duration = Duration::from_millis(1);

/// How long the thread goes on after the last call, so that it is not woken for each.
const LINGER: Duration = Duration::from_millis(100);

/// How often the thread checks whether its ticker is gone while there are no calls.
const IDLE_CHECK: Duration = Duration::from_secs(5);

/// A thread that advances an engine's epoch.
pub(crate) struct EpochTicker {
    /// Number of running calls.
    calls: Arc<AtomicUsize>,
    thread: Thread,
}

/// Keeps the epoch advancing until it is dropped.
pub(crate) struct TickGuard(Arc<AtomicUsize>);

impl EpochTicker {
    /// Starts the thread, which ends after the ticker or the engine is dropped.
    #[expect(clippy::disallowed_methods, reason = "the ticker has a thread of its own")]
    pub(crate) fn start(engine: &Engine) -> Result<Self> {
        let calls = Arc::new(AtomicUsize::new(0));
        let (weak_calls, weak_engine) = (Arc::downgrade(&calls), engine.weak());
        let handle = thread::Builder::new().name("plugin-epochs".to_owned()).spawn(move || {
            let mut last_call = Instant::now();
            while let (Some(calls), Some(engine)) = (Weak::upgrade(&weak_calls), weak_engine.upgrade()) {
                if calls.load(Ordering::Acquire) > 0 {
                    last_call = Instant::now();
                }
                engine.increment_epoch();
                drop((calls, engine));
                if last_call.elapsed() < LINGER {
                    thread::sleep(TICK)
                } else {
                    thread::park_timeout(IDLE_CHECK)
                }
            }
        });
        let thread = handle.map_err(Error::internal)?.thread().clone();
        Ok(Self { calls, thread })
    }

    /// Registers a call.
    pub(crate) fn enter(&self) -> TickGuard {
        if self.calls.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        TickGuard(Arc::clone(&self.calls))
    }
}

impl Drop for TickGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
