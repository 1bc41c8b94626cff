//! Start and stop of a host: first start, ports, concurrent starts, shutdown.

mod concurrent_starts;
mod first_start;
mod listening;
mod permissions;
mod recovery;
#[cfg(target_os = "linux")]
mod rlimit;
mod shutdown;

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Home, Host};

/// Runs a host or another command until it ends by itself.
pub fn run(home: &Home, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Host::command(home, settings);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{arguments:?} does not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// Returns standard output and standard error.
pub fn output_text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Finds a free port below the range of ephemeral ports.
pub fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 5_000).unwrap();
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..30_000).find(free).expect("no port is free")
}

/// Returns the key that a greeting prints.
pub fn printed_key(greeting: &str) -> Option<String> {
    let (_, key) = greeting.split_once("TESSERA_KEY=tsk_")?;
    Some(format!("tsk_{}", key.split_whitespace().next()?))
}
