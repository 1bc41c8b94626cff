//! What an operator decides of the sandbox.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tessera_core::plugin::CallLimits;

/// The sandbox of a host.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where machine code is kept; none: nowhere, it is made again at each start.
    pub cache: Option<PathBuf>,
    /// Authenticates the machine code that is kept.
    pub cache_key: [u8; 32],
    /// The most that any call may have.
    pub limits: CallLimits,
    /// The most bytes of a component.
    pub max_component: u64,
    /// How long a compilation may take.
    pub compile_time: Duration,
    /// The most memory that a compilation may take, in bytes.
    pub compile_memory: u64,
    /// The program that compiles, with its arguments: it calls [`crate::compile_child`].
    pub compiler: (PathBuf, Vec<OsString>),
    /// How much runs at once.
    pub pool: PoolSize,
    /// How many releases stay ready that are not installed, those that were used last.
    pub idle_releases: usize,
    /// What one tenant may have of the pool, in hundredths.
    pub tenant_share: u32,
}

/// How much runs at once, in the parts that instances are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolSize {
    /// Linear memories, and so instances of most guests.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
    /// Core instances; a guest from another language may be made of 50.
    pub instances: u32,
    /// The most bytes of one memory.
    pub memory: u64,
}

impl PoolSize {
    /// A pool for so many instances of ordinary guests, with room for those that are made of many parts.
    #[must_use]
    pub const fn for_calls(calls: u32, memory: u64) -> Self {
        let memories = if calls < 16 { 16 } else { calls };
        Self { memories, tables: memories * 2, instances: memories * 8, memory }
    }
}
