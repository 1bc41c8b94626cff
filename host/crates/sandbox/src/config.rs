//! Configuration of the sandbox.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tessera_core::plugin::CallLimits;

/// Configuration of a host's sandbox.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Folder of the cache of machine code; without one, releases are compiled at each start.
    pub cache: Option<PathBuf>,
    /// Key that authenticates cached machine code.
    pub cache_key: [u8; 32],
    /// Upper limits of each call.
    pub limits: CallLimits,
    /// The most bytes of a component.
    pub max_component: u64,
    /// The longest that a compilation may take.
    pub compile_time: Duration,
    /// The most memory that a compilation may take, in bytes.
    pub compile_memory: u64,
    /// The most compilations that run at once; one tenant has one at a time.
    pub compilations: usize,
    /// The program that compiles, with its arguments: it calls [`crate::compile_child`].
    pub compiler: (PathBuf, Vec<OsString>),
    /// Size of the pool of instances.
    pub pool: PoolSize,
    /// The most releases that stay ready without being installed, those that were used last.
    pub idle_releases: usize,
    /// Share of the pool that one tenant may use, in hundredths.
    pub tenant_share: u32,
}

/// The most bytes of machine code for each byte that a component may have. Ordinary components have two to five.
const CODE_RATIO: u64 = 16;

impl SandboxConfig {
    /// Returns the most bytes of a component's machine code.
    pub(crate) fn max_code(&self) -> u64 {
        self.max_component.saturating_mul(CODE_RATIO)
    }
}

/// Size of the pool of instances, in the parts that they are made of.
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
    /// Returns a pool for this many instances of ordinary guests, with room for those that are made of many parts.
    #[must_use]
    pub const fn for_calls(calls: u32, memory: u64) -> Self {
        let memories = if calls < 16 { 16 } else { calls };
        Self { memories, tables: memories * 2, instances: memories * 8, memory }
    }
}
