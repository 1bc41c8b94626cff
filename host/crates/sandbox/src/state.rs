//! What the host keeps of one call while the guest runs: what it may still use, and what it has said.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tessera_core::plugin::{CallLimits, Entity, LogLevel, LogLine, LookedUp, Lookup, LookupAsk, LookupError};
use tokio::runtime::Handle;
use wasmtime::{Error, ResourceLimiter};

/// How many bytes an element of a table is counted as.
const ELEMENT: u64 = 16;

/// The most bytes of a look-up's words.
const MAX_LOOKUP: usize = 4_096;

/// The most core instances, memories and tables of one component's instance.
pub(crate) const MAX_PARTS: usize = 200;

/// One call, as the host sees it.
pub(crate) struct Guest {
    limits: CallLimits,
    settings: Arc<str>,
    deadline: Instant,
    /// With where look-ups run: the host's own work is not done by the threads on which guests spin.
    lookup: Option<(Lookup, Handle)>,
    /// The most core instances, memories and tables that the call has paid for.
    instances: usize,
    /// Bytes of memories and tables.
    held: u64,
    /// What growing was refused, with what it would have come to.
    pub(crate) starved: Option<u64>,
    /// Whether the clock ended the call.
    pub(crate) late: Option<Late>,
    /// What it logged.
    pub(crate) log: Vec<LogLine>,
    log_bytes: u64,
    /// Whether log lines were cut.
    pub(crate) log_was_cut: bool,
    /// What it looked up.
    pub(crate) lookups: Vec<LookedUp>,
    /// The guest's own time.
    clock: Arc<Clock>,
}

/// What all clocks count from.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The guest's own time: the sum of the spans in which it ran, look-ups not counted.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Nanoseconds after `BASE` at which the guest was let run; 0 while it does not.
    since: AtomicU64,
    spent: AtomicU64,
    yielded: AtomicBool,
}

impl Clock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { since: AtomicU64::new(0), spent: AtomicU64::new(0), yielded: AtomicBool::new(false) })
    }

    fn now() -> u64 {
        u64::try_from(BASE.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// The guest runs from now on.
    pub(crate) fn resume(&self) {
        self.since.store(Self::now(), Ordering::Relaxed);
    }

    /// The guest does not run any more, for now.
    pub(crate) fn pause(&self) {
        let since = self.since.swap(0, Ordering::Relaxed);
        self.spent.fetch_add(Self::now().saturating_sub(since), Ordering::Relaxed);
    }

    /// The guest was made to yield, for the epoch moved on while it ran.
    pub(crate) fn note_yield(&self) {
        self.yielded.store(true, Ordering::Relaxed);
    }

    /// Whether the guest was made to yield.
    pub(crate) fn has_yielded(&self) -> bool {
        self.yielded.load(Ordering::Relaxed)
    }

    /// The guest's own time so far.
    pub(crate) fn spent(&self) -> Duration {
        let running = match self.since.load(Ordering::Relaxed) {
            0 => 0,
            since => Self::now().saturating_sub(since),
        };
        Duration::from_nanos(self.spent.load(Ordering::Relaxed).saturating_add(running))
    }
}

/// Which clock ended a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Late {
    /// The guest's own time was up.
    Guest,
    /// Nobody waits for the answer any more.
    Caller,
}

/// Why a look-up has no answer.
pub(crate) enum NoLookup {
    /// There were too many.
    TooMany,
    /// The hook has none.
    NotHere,
    /// The host could not answer.
    Failed(LookupError),
}

impl Guest {
    pub(crate) fn new(
        limits: CallLimits,
        settings: Arc<str>,
        deadline: Instant,
        lookup: Option<Lookup>,
        instances: u32,
        clock: Arc<Clock>,
    ) -> Self {
        Self {
            limits,
            settings,
            deadline,
            lookup: lookup.map(|lookup| (lookup, Handle::current())),
            instances: instances as usize,
            held: 0,
            starved: None,
            late: None,
            log: Vec::new(),
            log_bytes: 0,
            log_was_cut: false,
            lookups: Vec::new(),
            clock,
        }
    }

    /// The installation's settings, as JSON.
    pub(crate) fn settings_json(&self) -> &str {
        &self.settings
    }

    /// Keeps a line of the log, up to the limit.
    pub(crate) fn note(&mut self, level: LogLevel, mut message: String) {
        let room = self.limits.log.saturating_sub(self.log_bytes);
        if self.log.len() >= CallLimits::LOG_LINES || room == 0 {
            self.log_was_cut = true;
            return;
        }
        if message.len() as u64 > room {
            let mut end = usize::try_from(room).unwrap_or(usize::MAX);
            while !message.is_char_boundary(end) {
                end -= 1;
            }
            message.truncate(end);
            self.log_was_cut = true;
        }
        self.log_bytes += message.len() as u64;
        self.log.push(LogLine { level, message });
    }

    /// Looks something up, within the bounds of the call and of the request.
    pub(crate) async fn look_up(&mut self, ask: LookupAsk) -> Result<Vec<Entity>, NoLookup> {
        let Some((lookup, home)) = self.lookup.clone() else { return Err(NoLookup::NotHere) };
        if self.lookups.len() >= self.limits.lookups as usize {
            return Err(NoLookup::TooMany);
        }
        let (LookupAsk::Get(kind, text) | LookupAsk::Find(kind, text, _)) = &ask;
        if kind.len() + text.len() > MAX_LOOKUP {
            let told = format!("the look-up has more than {MAX_LOOKUP} bytes");
            return Err(NoLookup::Failed(LookupError::Unsupported(told)));
        }
        let until = tokio::time::Instant::from_std(self.deadline);
        let asked = ask.clone();
        let answering = home.spawn(async move { lookup.answer(asked).await });
        let answer = match tokio::time::timeout_at(until, answering).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(LookupError::Unavailable),
        };
        let found = answer.as_ref().ok().map(|found| u32::try_from(found.len()).unwrap_or(u32::MAX));
        self.lookups.push(LookedUp { ask, found });
        answer.map_err(NoLookup::Failed)
    }

    /// Bytes of memories and tables.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Whether a clock says that it is enough.
    pub(crate) fn check_clocks(&mut self) -> Result<(), Error> {
        self.late = if self.clock.spent() >= self.limits.time {
            Some(Late::Guest)
        } else if Instant::now() >= self.deadline {
            Some(Late::Caller)
        } else {
            self.clock.note_yield();
            return Ok(());
        };
        Err(Error::msg("the time is up"))
    }

    fn grow(&mut self, more: u64) -> bool {
        let would = self.held.saturating_add(more);
        if would > self.limits.memory {
            self.starved = Some(would);
            return false;
        }
        self.held = would;
        true
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        Ok(self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        Ok(self.grow((desired.saturating_sub(current) as u64).saturating_mul(ELEMENT)))
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        MAX_PARTS
    }

    fn memories(&self) -> usize {
        MAX_PARTS
    }
}
