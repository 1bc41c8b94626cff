//! wasmtime's engine as Tessera runs it: instances from a pool, fuel, epochs, and nothing of WebAssembly
//! that plugins do not need.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tessera_core::{Error, Result};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::config::PoolSize;
use crate::state::MAX_PARTS;

/// How often a guest that runs is looked at.
const TICK: Duration = Duration::from_millis(1);

/// How long the ticker goes on after the last call, so that it is not woken for each.
const LINGER: Duration = Duration::from_millis(100);

/// What a memory keeps of its pages for the next instance, and how many memories do.
const KEEP_RESIDENT: usize = 2 << 20;
const WARM: u32 = 16;

/// The stack of a guest.
const STACK: usize = 256 << 10;

/// An engine for guests; `pool` is its share of the machine, none for an engine that only compiles.
pub(crate) fn engine(pool: Option<&PoolSize>) -> Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .async_stack_size(STACK * 4)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .native_unwind_info(false)
        .memory_init_cow(true)
        .wasm_threads(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_component_model(true)
        .concurrency_support(false);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(pool)));
    }
    Engine::new(&config).map_err(|error| Error::internal(anyhow::Error::from(error)))
}

fn pooling(pool: &PoolSize) -> PoolingAllocationConfig {
    let parts = u32::try_from(MAX_PARTS).unwrap_or(u32::MAX);
    let mut config = PoolingAllocationConfig::new();
    config
        .total_component_instances(pool.memories)
        .total_core_instances(pool.instances)
        .total_memories(pool.memories)
        .total_tables(pool.tables)
        .total_stacks(pool.memories)
        .max_core_instances_per_component(parts)
        .max_memories_per_component(parts)
        .max_tables_per_component(parts)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(20_000)
        .max_memory_size(usize::try_from(pool.memory).unwrap_or(usize::MAX))
        .max_unused_warm_slots(WARM)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .total_gc_heaps(1);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        config.pagemap_scan(Enabled::Yes);
    }
    config
}

/// Moves the engine's epoch on, while there are calls.
pub(crate) struct Ticker {
    calls: Arc<AtomicUsize>,
    thread: Thread,
}

/// A call for which the epoch moves on.
pub(crate) struct Ticking(Arc<AtomicUsize>);

impl Ticker {
    /// Begins to tick for an engine; ends with the ticker.
    #[expect(clippy::disallowed_methods, reason = "the ticker has a thread of its own")]
    pub(crate) fn start(engine: &Engine) -> Result<Self> {
        let calls = Arc::new(AtomicUsize::new(0));
        let (watched, engine) = (Arc::downgrade(&calls), engine.weak());
        let ticking = thread::Builder::new().name("plugin-epochs".to_owned()).spawn(move || {
            let mut last = Instant::now();
            while let (Some(calls), Some(engine)) = (Weak::upgrade(&watched), engine.upgrade()) {
                if calls.load(Ordering::Acquire) > 0 {
                    last = Instant::now();
                }
                engine.increment_epoch();
                drop((calls, engine));
                if last.elapsed() < LINGER {
                    thread::sleep(TICK)
                } else {
                    thread::park_timeout(Duration::from_secs(5))
                }
            }
        });
        let thread = ticking.map_err(Error::internal)?.thread().clone();
        Ok(Self { calls, thread })
    }

    /// A call begins.
    pub(crate) fn enter(&self) -> Ticking {
        if self.calls.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        Ticking(Arc::clone(&self.calls))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
