//! Configuration of wasmtime's engine: instances from a pool, fuel, epochs, and only the parts of WebAssembly that
//! plugins need.

use tessera_core::{Error, Result};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::call_state::MAX_PARTS;
use crate::config::PoolSize;

/// Bytes of an unused memory that stay resident for the next instance.
const KEEP_RESIDENT: usize = 2 << 20;

/// The most unused memories that stay resident.
const MAX_WARM: u32 = 16;

/// The most elements of a table. Guests from other languages have tables of thousands.
pub(crate) const MAX_TABLE_ELEMENTS: u32 = 20_000;

/// The stack of a guest, in bytes.
const GUEST_STACK: usize = 256 << 10;

/// Creates an engine; without a pool, one that only compiles.
pub(crate) fn new_engine(pool: Option<&PoolSize>) -> Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(GUEST_STACK * 4)
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
        .table_elements(MAX_TABLE_ELEMENTS as usize)
        .max_memory_size(usize::try_from(pool.memory).unwrap_or(usize::MAX))
        .max_unused_warm_slots(MAX_WARM)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .total_gc_heaps(1);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        config.pagemap_scan(Enabled::Yes);
    }
    config
}
