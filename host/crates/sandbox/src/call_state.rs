//! State of one call while its guest runs: its limits, what it has used of them, its log and its look-ups.

use std::sync::Arc;
use std::time::Instant;

use tessera_core::plugin::{
    CallLimits, Entity, LogLevel, LogLine, Lookup, LookupError, LookupRecord, LookupRequest,
};
use tokio::runtime::Handle;
use wasmtime::{Error, ResourceLimiter};

use crate::guest_clock::GuestClock;

/// How many bytes an element of a table is counted as.
pub(crate) const TABLE_ELEMENT_BYTES: u64 = 16;

/// The most bytes of a look-up's arguments.
const MAX_LOOKUP_BYTES: usize = 4_096;

/// The most core instances, memories and tables of one component's instance.
pub(crate) const MAX_PARTS: usize = 200;

/// State of one call, which wasmtime keeps with the guest's instance.
pub(crate) struct CallState {
    limits: CallLimits,
    settings: Arc<str>,
    deadline: Instant,
    /// With the runtime for look-ups: the host's own work is not done on the threads on which guests spin.
    lookup: Option<(Lookup, Handle)>,
    /// The most core instances of the call, which the pool counts.
    max_instances: usize,
    /// Bytes of memories and tables.
    memory: u64,
    /// The bytes that a refused growth would have come to.
    pub(crate) refused_memory: Option<u64>,
    /// The time limit that ended the call.
    pub(crate) timeout: Option<Timeout>,
    pub(crate) log: Vec<LogLine>,
    log_bytes: u64,
    pub(crate) log_was_cut: bool,
    pub(crate) lookups: Vec<LookupRecord>,
    clock: Arc<GuestClock>,
}

/// Which time limit ended a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timeout {
    /// The limit of the guest's own time.
    Guest,
    /// The deadline of the request.
    Request,
}

/// Why a look-up has no answer.
pub(crate) enum LookupRefusal {
    /// The call has used all its look-ups.
    TooMany,
    /// The hook has no look-ups.
    NotAvailable,
    /// The host could not answer.
    Failed(LookupError),
}

impl CallState {
    /// Creates the state of a call with at most `max_instances` core instances.
    pub(crate) fn new(
        limits: CallLimits,
        settings: Arc<str>,
        deadline: Instant,
        lookup: Option<Lookup>,
        max_instances: u32,
        clock: Arc<GuestClock>,
    ) -> Self {
        Self {
            limits,
            settings,
            deadline,
            lookup: lookup.map(|lookup| (lookup, Handle::current())),
            max_instances: max_instances as usize,
            memory: 0,
            refused_memory: None,
            timeout: None,
            log: Vec::new(),
            log_bytes: 0,
            log_was_cut: false,
            lookups: Vec::new(),
            clock,
        }
    }

    /// Returns the installation's settings as JSON.
    pub(crate) fn settings_json(&self) -> &str {
        &self.settings
    }

    /// Returns the bytes of memories and tables.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// Appends a line to the log, cut at the log's limit.
    pub(crate) fn append_log(&mut self, level: LogLevel, mut message: String) {
        let room = self.limits.log.saturating_sub(self.log_bytes);
        if self.log.len() >= CallLimits::LOG_LINES || room == 0 {
            self.log_was_cut = true;
            return;
        }
        if message.len() as u64 > room {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            message.truncate(message.floor_char_boundary(room));
            self.log_was_cut = true;
        }
        self.log_bytes += message.len() as u64;
        self.log.push(LogLine { level, message });
    }

    /// Looks something up, within the limits of the call and the deadline of the request.
    pub(crate) async fn look_up(&mut self, lookup: LookupRequest) -> Result<Vec<Entity>, LookupRefusal> {
        let Some((handler, runtime)) = self.lookup.clone() else { return Err(LookupRefusal::NotAvailable) };
        if self.lookups.len() >= self.limits.lookups as usize {
            return Err(LookupRefusal::TooMany);
        }
        let (LookupRequest::Get(kind, text) | LookupRequest::Find(kind, text, _)) = &lookup;
        if kind.len() + text.len() > MAX_LOOKUP_BYTES {
            let message = format!("the look-up has more than {MAX_LOOKUP_BYTES} bytes");
            return Err(LookupRefusal::Failed(LookupError::Unsupported(message)));
        }
        let deadline = tokio::time::Instant::from_std(self.deadline);
        let arguments = lookup.clone();
        let task = runtime.spawn(async move { handler.execute(arguments).await });
        let answer = match tokio::time::timeout_at(deadline, task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(LookupError::Unavailable),
        };
        let found = answer.as_ref().ok().map(|entities| u32::try_from(entities.len()).unwrap_or(u32::MAX));
        self.lookups.push(LookupRecord { request: lookup, found });
        answer.map_err(LookupRefusal::Failed)
    }

    /// Ends the call if one of its time limits is reached, and interrupts it otherwise.
    pub(crate) fn check_time(&mut self) -> Result<(), Error> {
        self.timeout = if self.clock.elapsed() >= self.limits.time {
            Some(Timeout::Guest)
        } else if Instant::now() >= self.deadline {
            Some(Timeout::Request)
        } else {
            self.clock.note_yield();
            return Ok(());
        };
        Err(Error::msg("the time limit is reached"))
    }

    /// Counts memory that the guest wants; returns whether it may have it.
    fn grow(&mut self, bytes: u64) -> bool {
        let total = self.memory.saturating_add(bytes);
        if total > self.limits.memory {
            self.refused_memory = Some(total);
            return false;
        }
        self.memory = total;
        true
    }
}

impl ResourceLimiter for CallState {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        Ok(self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        Ok(self.grow((desired.saturating_sub(current) as u64).saturating_mul(TABLE_ELEMENT_BYTES)))
    }

    fn instances(&self) -> usize {
        self.max_instances
    }

    fn tables(&self) -> usize {
        MAX_PARTS
    }

    fn memories(&self) -> usize {
        MAX_PARTS
    }
}
