//! The life of a host: the first start, the ports, several at once, and an orderly end.

mod ending;
mod first;
mod listening;
mod several;

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Home, Host};

/// What became of a host, or of another command, that ends by itself.
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

/// All that it wrote.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The key that a greeting shows.
pub fn shown_key(greeting: &str) -> Option<String> {
    greeting.lines().map(str::trim).find(|line| line.starts_with("tsk_")).map(str::to_owned)
}
