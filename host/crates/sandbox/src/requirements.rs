//! The resources of an instance of a component, read from its machine code: wasmtime flattens nested components and
//! generates adapters between them, so that a component's text shows fewer core instances than it is made of.

use anyhow::Context as _;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};
use tessera_core::plugin::Footprint;
use tessera_core::{Error, ErrorKind, Result};
use wasmtime_environ::component::{ComponentArtifacts, GlobalInitializer, InstantiateModule};
use wasmtime_environ::{Module, obj};

use crate::call_state::{MAX_PARTS, TABLE_ELEMENT_BYTES};
use crate::engine::MAX_TABLE_ELEMENTS;

/// Resources of one instance of a component when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Requirements {
    /// The parts that the instance takes from the pool.
    pub(crate) footprint: Footprint,
    /// Bytes of its memories and tables in sum, as calls count them.
    pub(crate) memory: u64,
    /// Elements of its largest table.
    pub(crate) table_elements: u64,
}

impl Requirements {
    /// Reads the requirements of a component from its machine code.
    pub(crate) fn read(code: &[u8]) -> Result<Self> {
        let artifacts = artifacts(code).map_err(Error::internal)?;
        let mut total = Self::default();
        for initializer in &artifacts.info.component.initializers {
            let GlobalInitializer::InstantiateModule(module, _) = initializer else { continue };
            total.footprint.instances += 1;
            // An imported module does not link: the contract has none.
            if let InstantiateModule::Static(index, _) = module
                && let Some(info) = artifacts.static_modules.get(*index)
            {
                total.add(&info.module);
            }
        }
        Ok(total)
    }

    /// Adds the memories and tables that a module defines.
    fn add(&mut self, module: &Module) {
        for memory in module.memories.values().skip(module.num_imported_memories) {
            self.footprint.memories += 1;
            self.memory = self.memory.saturating_add(memory.minimum_byte_size().unwrap_or(u64::MAX));
        }
        for table in module.tables.values().skip(module.num_imported_tables) {
            let elements = table.limits.min;
            self.footprint.tables += 1;
            self.table_elements = self.table_elements.max(elements);
            self.memory = self.memory.saturating_add(elements.saturating_mul(TABLE_ELEMENT_BYTES));
        }
    }

    /// Refuses an instance that no call may have: it is made of too many parts, or starts with too large a table or more
    /// than `memory` bytes.
    pub(crate) fn check(&self, memory: u64) -> Result<()> {
        let Footprint { instances, memories, tables } = self.footprint;
        for (count, parts) in [(instances, "core instances"), (memories, "memories"), (tables, "tables")] {
            if count as usize > MAX_PARTS {
                return Err(too_large(&format!(
                    "is made of {count} {parts}; at most {MAX_PARTS} are allowed"
                )));
            }
        }
        if self.table_elements > u64::from(MAX_TABLE_ELEMENTS) {
            return Err(too_large(&format!(
                "has a table of {} elements; at most {MAX_TABLE_ELEMENTS} are allowed",
                self.table_elements
            )));
        }
        if self.memory > memory {
            return Err(too_large(&format!(
                "starts with {} bytes of memory and tables; {memory} are allowed by TESSERA_PLUGIN_MEMORY_BYTES, or by \
                 --memory of `tessera plugin`",
                self.memory
            )));
        }
        Ok(())
    }
}

/// Creates the refusal of a component that needs more than it may have.
pub(crate) fn too_large(what: &str) -> Error {
    let message = format!("an instance of the component {what}");
    Error::new(ErrorKind::TooLarge, "COMPONENT_TOO_LARGE", message)
}

/// Reads wasmtime's own description of a component from machine code that this host has compiled.
fn artifacts(code: &[u8]) -> anyhow::Result<ComponentArtifacts> {
    let file = ElfFile64::<object::Endianness>::parse(code).context("machine code cannot be read")?;
    let section = file.section_by_name(obj::ELF_WASMTIME_INFO).context("machine code has no description")?;
    let description = section.data().context("the description of machine code cannot be read")?;
    postcard::from_bytes(description).context("the description of machine code cannot be decoded")
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::time::{Duration, Instant};

    use tessera_core::plugin::CallLimits;
    use wasm_encoder::{
        Component, ComponentExportKind, ComponentInstanceSection, InstanceSection, MemorySection, MemoryType,
        Module, ModuleArg, ModuleSection, NestedComponentSection, RefType, TableSection, TableType,
    };
    use wasmtime::Store;
    use wasmtime::component::Linker;

    use super::*;
    use crate::call_state::CallState;
    use crate::code_cache::MachineCode;
    use crate::config::PoolSize;
    use crate::engine::new_engine;
    use crate::guest_clock::GuestClock;

    const PAGE: u64 = 65_536;

    /// Makes a component with one core instance in its text, which is nested and instantiated three times.
    fn nested() -> Vec<u8> {
        let (mut tables, mut memories) = (TableSection::new(), MemorySection::new());
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: 10,
            maximum: None,
            shared: false,
        });
        memories.memory(MemoryType {
            minimum: 2,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut module = Module::new();
        module.section(&tables).section(&memories);
        let mut core = InstanceSection::new();
        core.instantiate(0, iter::empty::<(&str, ModuleArg)>());
        let mut inner = Component::new();
        inner.section(&ModuleSection(&module)).section(&core);
        let mut instances = ComponentInstanceSection::new();
        for _ in 0..3 {
            instances.instantiate(0, iter::empty::<(&str, ComponentExportKind, u32)>());
        }
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&inner)).section(&instances);
        outer.finish()
    }

    #[tokio::test]
    async fn instances_of_nested_components_are_counted_as_wasmtime_counts_them() {
        let limits = CallLimits::standard();
        let engine = new_engine(Some(&PoolSize::for_calls(16, limits.memory))).unwrap();
        let code = engine.precompile_component(&nested()).unwrap();
        let requirements = Requirements::read(&code).unwrap();
        let memory = 3 * (2 * PAGE + 10 * TABLE_ELEMENT_BYTES);
        let footprint = Footprint { instances: 3, memories: 3, tables: 3 };
        assert_eq!(requirements, Requirements { footprint, memory, table_elements: 10 });

        let component = MachineCode::new(code).load(&engine).unwrap();
        for (instances, is_enough) in [(2, false), (3, true)] {
            let deadline = Instant::now() + Duration::from_secs(10);
            let state = CallState::new(limits, "".into(), deadline, None, instances, GuestClock::new());
            let mut store = Store::new(&engine, state);
            store.limiter(|state| state);
            store.set_fuel(limits.fuel).unwrap();
            store.set_epoch_deadline(1_000);
            let instance = Linker::new(&engine).instantiate_async(&mut store, &component).await;
            assert_eq!(instance.is_ok(), is_enough, "{instances} instances");
            if is_enough {
                assert_eq!(store.data().memory(), memory);
            }
        }
    }

    #[test]
    fn excess_is_refused_with_need_and_limit() {
        let most = u32::try_from(MAX_PARTS).unwrap();
        let footprint = Footprint { instances: most, memories: most, tables: most };
        let good = Requirements { footprint, memory: 16, table_elements: MAX_TABLE_ELEMENTS.into() };
        good.check(16).unwrap();
        let instances = Footprint { instances: most + 1, ..footprint };
        for (bad, need, limit) in [
            (Requirements { footprint: instances, ..good }, "201 core instances", "200"),
            (
                Requirements { memory: 17, ..good },
                "17 bytes",
                "16 are allowed by TESSERA_PLUGIN_MEMORY_BYTES",
            ),
            (Requirements { table_elements: 20_001, ..good }, "20001 elements", "20000"),
        ] {
            let error = bad.check(16).unwrap_err();
            assert_eq!(error.reason(), "COMPONENT_TOO_LARGE");
            assert!(error.message().contains(need) && error.message().contains(limit), "{}", error.message());
        }
    }
}
