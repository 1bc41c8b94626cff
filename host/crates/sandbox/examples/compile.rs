//! The compiler process of the tests, as the host binary has one: memory and seconds are its arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(memory), Some(seconds)) => ExitCode::from(tessera_sandbox::compile_child(memory, seconds)),
        _ => ExitCode::FAILURE,
    }
}
