//! The child process that compiles a component: it reads it from standard input and writes machine code to standard
//! output.

use std::io::{self, Read as _, Write as _};

use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use wasmtime::error::OutOfMemory;

use crate::engine::new_engine;
use crate::scheduler::NICE;

/// Exit code when the component cannot be compiled.
pub(crate) const EXIT_REFUSED: u8 = 3;

/// Exit code when the memory did not suffice.
pub(crate) const EXIT_OUT_OF_MEMORY: u8 = 4;

/// Compiles the component on standard input within these limits; returns the exit code of the process.
#[must_use]
pub fn compile_child(memory: u64, seconds: u64) -> u8 {
    match compile(memory, seconds) {
        Ok(()) => 0,
        Err(error) => {
            // If the message cannot be written, the exit code is enough.
            let _ = writeln!(io::stderr().lock(), "{error:#}");
            if error.chain().any(is_out_of_memory) { EXIT_OUT_OF_MEMORY } else { EXIT_REFUSED }
        }
    }
}

fn is_out_of_memory(cause: &(dyn std::error::Error + 'static)) -> bool {
    let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::OutOfMemory)
}

fn compile(memory: u64, seconds: u64) -> anyhow::Result<()> {
    set_limits(memory, seconds)?;
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component)?;
    let engine = new_engine(None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let code = engine.precompile_component(&component).map_err(|error| {
        let is_out_of_memory = error.is::<OutOfMemory>();
        if is_out_of_memory {
            io::Error::from(io::ErrorKind::OutOfMemory).into()
        } else {
            anyhow::Error::from(error)
        }
    })?;
    let mut output = io::stdout().lock();
    output.write_all(&code)?;
    Ok(output.flush()?)
}

/// Limits this process for the rest of its life, and lowers its priority; where the system refuses that, it stays.
fn set_limits(memory: u64, seconds: u64) -> io::Result<()> {
    let _ = setpriority_process(None, NICE);
    for (resource, limit) in [(Resource::As, memory), (Resource::Cpu, seconds), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    Ok(())
}
