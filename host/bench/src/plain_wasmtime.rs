//! The floor of plugin calls: the same component in the same engine without the sandbox, with arguments in the form of the
//! generated bindings.

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package tessera:bench;

            world everything {
                import tessera:plugin/host@1.0.0;
                import tessera:plugin/lookup@1.0.0;
                export tessera:plugin/pricing@1.0.0;
                export tessera:plugin/validation@1.0.0;
            }
        ",
        world: "tessera:bench/everything",
        imports: { "tessera:plugin/lookup": async | trappable, default: trappable },
        exports: { default: async },
    });
}

use anyhow::{Result, anyhow};

pub(crate) use generated::exports::tessera::plugin::{pricing, validation};
use generated::tessera::plugin as imports;
pub(crate) use generated::tessera::plugin::types;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, UpdateDeadline,
};

/// The imports of a component.
struct Imports {
    settings: String,
}

impl types::Host for Imports {}

impl imports::host::Host for Imports {
    fn log(&mut self, _: imports::host::Level, _: String) -> wasmtime::Result<()> {
        Ok(())
    }

    fn settings(&mut self) -> wasmtime::Result<String> {
        Ok(self.settings.clone())
    }
}

impl imports::lookup::Host for Imports {
    async fn get(
        &mut self,
        _: String,
        _: String,
    ) -> wasmtime::Result<Result<Option<types::Entity>, imports::lookup::LookupError>> {
        Ok(Ok(None))
    }

    async fn find(
        &mut self,
        _: String,
        _: String,
        _: u32,
    ) -> wasmtime::Result<Result<Vec<types::Entity>, imports::lookup::LookupError>> {
        Ok(Ok(Vec::new()))
    }
}

/// A compiled component.
pub(crate) struct PlainWasmtime {
    engine: Engine,
    pre: InstancePre<Imports>,
    validation: Option<validation::GuestIndices>,
    pricing: Option<pricing::GuestIndices>,
    settings: String,
}

impl PlainWasmtime {
    /// Compiles a component with the engine settings of the sandbox.
    pub(crate) fn new(component: &[u8], settings: &str) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(128)
            .total_core_instances(1_024)
            .total_memories(128)
            .total_tables(256)
            .total_stacks(128)
            .max_memory_size(16 << 20)
            .max_unused_warm_slots(16)
            .linear_memory_keep_resident(2 << 20)
            .table_keep_resident(64 << 10);
        if PoolingAllocationConfig::is_pagemap_scan_available() {
            pool.pagemap_scan(Enabled::Yes);
        }
        let mut config = Config::new();
        config
            .consume_fuel(true)
            .epoch_interruption(true)
            .max_wasm_stack(256 << 10)
            .async_stack_size(1 << 20)
            .wasm_gc(false)
            .wasm_threads(false)
            .concurrency_support(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let to_anyhow = |error: wasmtime::Error| anyhow!("{error:#}");
        let engine = Engine::new(&config).map_err(to_anyhow)?;
        let component = Component::new(&engine, component).map_err(to_anyhow)?;
        let mut linker = Linker::new(&engine);
        types::add_to_linker::<_, HasSelf<_>>(&mut linker, |imports: &mut Imports| imports)
            .map_err(to_anyhow)?;
        imports::host::add_to_linker::<_, HasSelf<_>>(&mut linker, |imports: &mut Imports| imports)
            .map_err(to_anyhow)?;
        imports::lookup::add_to_linker::<_, HasSelf<_>>(&mut linker, |imports: &mut Imports| imports)
            .map_err(to_anyhow)?;
        let pre = linker.instantiate_pre(&component).map_err(to_anyhow)?;
        let validation = validation::GuestIndices::new(&pre).ok();
        let pricing = pricing::GuestIndices::new(&pre).ok();
        Ok(Self { engine, pre, validation, pricing, settings: settings.to_owned() })
    }

    fn store(&self) -> Result<Store<Imports>> {
        let mut store = Store::new(&self.engine, Imports { settings: self.settings.clone() });
        store.set_fuel(10_000_000).map_err(|error| anyhow!("{error:#}"))?;
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        Ok(store)
    }

    /// Calls the validation and returns whether it accepts.
    pub(crate) async fn validate(
        &self,
        context: &types::Context,
        request: &validation::Request,
    ) -> Result<bool> {
        let mut store = self.store()?;
        let indices =
            self.validation.as_ref().ok_or_else(|| anyhow!("the component exports no validation"))?;
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let guest = indices.load(&mut store, &instance)?;
            guest.call_validate(&mut store, context, request).await
        };
        Ok(call.await.map_err(|error: wasmtime::Error| anyhow!("{error:#}"))?.is_ok())
    }

    /// Calls the pricing and returns the number of adjustments.
    pub(crate) async fn quote(&self, context: &types::Context, request: &pricing::Request) -> Result<usize> {
        let mut store = self.store()?;
        let indices = self.pricing.as_ref().ok_or_else(|| anyhow!("the component exports no pricing"))?;
        let call = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let guest = indices.load(&mut store, &instance)?;
            guest.call_quote(&mut store, context, request).await
        };
        let decision = call.await.map_err(|error: wasmtime::Error| anyhow!("{error:#}"))?;
        Ok(decision.map_or(0, |decision| decision.adjustments.len()))
    }
}
