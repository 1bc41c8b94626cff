//! Compiling, in a process of its own: hostile code may take all the time and memory that it is given, and
//! takes nothing of the host's.

use std::io::{self, Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tessera_core::{Error, ErrorKind, Result};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use wasmtime::error::OutOfMemory;

use crate::config::SandboxConfig;
use crate::engine::engine;

/// How much of what the compiler says against a component is told.
const MAX_SAID: usize = 2_000;

/// The exit code by which the child says that the component cannot be compiled.
const REFUSED: u8 = 3;

/// The exit code by which it says that its memory did not suffice.
const STARVED: u8 = 4;

/// Compiles a component into machine code, within the operator's bounds.
pub(crate) async fn compile(config: &SandboxConfig, component: &[u8]) -> Result<Vec<u8>> {
    let (program, arguments) = &config.compiler;
    let mut child = Command::new(program)
        .args(arguments)
        .arg(config.compile_memory.to_string())
        .arg(config.compile_time.as_secs().saturating_add(1).to_string())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(Error::internal)?;
    let input = child.stdin.take();
    let feed = async {
        if let Some(mut input) = input {
            // A child that ends early is heard by its exit code.
            let _ = input.write_all(component).await;
        }
    };
    let work = async { tokio::join!(feed, child.wait_with_output()).1 };
    let Ok(output) = tokio::time::timeout(config.compile_time, work).await else {
        return Err(too_slow(config.compile_time));
    };
    let output = output.map_err(Error::internal)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    said.truncate(said.floor_char_boundary(MAX_SAID));
    Err(match output.status.code() {
        Some(code) if code == i32::from(REFUSED) => {
            let message = format!("the component cannot be compiled: {said}");
            Error::new(ErrorKind::Invalid, "COMPONENT_INVALID", message)
        }
        Some(code) if code == i32::from(STARVED) => too_complex(config.compile_memory),
        // A limit ended it by a signal: an allocation that cannot fail in any other way did.
        None => too_complex(config.compile_memory),
        Some(code) => Error::internal(anyhow::anyhow!("the compiler ended with {code}: {said}")),
    })
}

fn too_slow(time: Duration) -> Error {
    let message = format!("the component takes longer than {} s to compile", time.as_secs());
    Error::new(ErrorKind::Invalid, "COMPONENT_TOO_SLOW", message)
}

fn too_complex(memory: u64) -> Error {
    let message =
        format!("the component takes more than the {} MiB of memory that compiling may take", memory >> 20);
    Error::new(ErrorKind::Invalid, "COMPONENT_TOO_COMPLEX", message)
}

/// What the child process does: reads a component, compiles it within these bounds, writes machine code.
/// Answers the exit code.
#[must_use]
pub fn compile_child(memory: u64, seconds: u64) -> u8 {
    match child(memory, seconds) {
        Ok(()) => 0,
        Err(error) => {
            // When not even this can be written, the exit code says enough.
            let _ = writeln!(io::stderr().lock(), "{error:#}");
            if error.chain().any(is_starved) { STARVED } else { REFUSED }
        }
    }
}

fn is_starved(cause: &(dyn std::error::Error + 'static)) -> bool {
    let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::OutOfMemory)
}

fn child(memory: u64, seconds: u64) -> anyhow::Result<()> {
    bound(memory, seconds)?;
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component)?;
    let engine = engine(None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let code = engine.precompile_component(&component).map_err(|error| {
        let starved = error.is::<OutOfMemory>();
        if starved { io::Error::from(io::ErrorKind::OutOfMemory).into() } else { anyhow::Error::from(error) }
    })?;
    let mut out = io::stdout().lock();
    out.write_all(&code)?;
    Ok(out.flush()?)
}

/// Bounds this process, for good.
fn bound(memory: u64, seconds: u64) -> io::Result<()> {
    for (resource, limit) in [(Resource::As, memory), (Resource::Cpu, seconds), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    Ok(())
}
