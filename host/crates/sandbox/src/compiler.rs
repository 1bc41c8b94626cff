//! Compiles components in a child process, whose time, memory and output are limited: a hostile component takes nothing
//! of the host's.

use std::process::Stdio;
use std::time::Duration;

use tessera_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::compile_child::{EXIT_OUT_OF_MEMORY, EXIT_REFUSED};
use crate::config::SandboxConfig;

/// The most bytes of the compiler's message that an error repeats.
const MAX_MESSAGE: u64 = 2_000;

/// Compiles a component into machine code, within the operator's limits.
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
    let (input, output, messages) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // A child that ends early is reported by its exit code.
            let _ = input.write_all(component).await;
        }
    };
    let max_code = config.max_code();
    let work = async {
        let (_, code, message, status) =
            tokio::join!(feed, read(output, max_code + 1), read(messages, MAX_MESSAGE), child.wait());
        Ok::<_, std::io::Error>((code?, message?, status?))
    };
    let Ok(output) = tokio::time::timeout(config.compile_time, work).await else {
        return Err(too_slow(config.compile_time));
    };
    let (code, message, status) = output.map_err(Error::internal)?;
    if code.len() as u64 > max_code {
        return Err(too_much_code(max_code));
    }
    if status.success() {
        return Ok(code);
    }
    let message = String::from_utf8_lossy(&message).trim().to_owned();
    Err(match status.code() {
        Some(code) if code == i32::from(EXIT_REFUSED) => {
            let message = format!("the component cannot be compiled: {message}");
            Error::new(ErrorKind::Invalid, "COMPONENT_INVALID", message)
        }
        Some(code) if code == i32::from(EXIT_OUT_OF_MEMORY) => too_complex(config.compile_memory),
        // Ended by a signal: an allocation that cannot fail in any other way has met the limit.
        None => too_complex(config.compile_memory),
        Some(code) => Error::internal(anyhow::anyhow!("the compiler ended with code {code}: {message}")),
    })
}

/// Reads at most `most` bytes, and closes the pipe: a child that writes more than that ends.
async fn read(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn too_slow(time: Duration) -> Error {
    let message = format!("the component takes longer than {} ms to compile", time.as_millis());
    Error::new(ErrorKind::Invalid, "COMPONENT_TOO_SLOW", message)
}

fn too_complex(memory: u64) -> Error {
    let message =
        format!("the component takes more than the {} MiB of memory that compiling may take", memory >> 20);
    Error::new(ErrorKind::Invalid, "COMPONENT_TOO_COMPLEX", message)
}

fn too_much_code(most: u64) -> Error {
    let message =
        format!("the component has more than {most} bytes of machine code, the most that this host keeps");
    Error::new(ErrorKind::Invalid, "COMPONENT_TOO_COMPLEX", message)
}
