//! Failures of calls: which limit or trap ended a call, in words for the plugin's author.

use tessera_core::bounded_text::{BoundedText, cut};
use tessera_core::plugin::{CallLimits, Failure, FailureReason, Outcome, Usage};
use wasmtime::{Trap, WasmBacktrace};

use crate::call_state::{CallState, Timeout};

/// The most functions of a backtrace.
const MAX_FRAMES: usize = 32;

/// The most bytes of a function's name: guests choose them.
const MAX_NAME: usize = 200;

/// Prefixes of the names of functions in Rust's panic machinery.
const PANIC_PATHS: &[&str] = &[
    "core::option::expect_failed",
    "core::option::unwrap_failed",
    "core::panicking::",
    "core::result::unwrap_failed",
    "std::panic::",
    "std::panicking::",
    "std::sys::backtrace::",
    "panic_abort::",
    "rust_begin_unwind",
    "rust_panic",
    "__rust_abort",
    "__rust_start_panic",
];

/// The most bytes of a failure's message, which may repeat what the guest returned.
const MAX_MESSAGE: usize = 2_048;

/// Creates a failure without a backtrace.
pub(crate) fn failure(reason: FailureReason, mut message: String) -> Failure {
    cut(&mut message, MAX_MESSAGE);
    Failure { reason, message, backtrace: Vec::new() }
}

/// Creates the outcome of a call that did not begin.
pub(crate) fn not_begun(reason: FailureReason, message: String) -> Outcome {
    Outcome {
        reply: Err(failure(reason, message)),
        usage: Usage::default(),
        log: Vec::new(),
        log_was_cut: false,
        lookups: Vec::new(),
    }
}

/// Creates the failure of an answer beyond its limit.
pub(crate) fn output_too_large(what: &str, limits: CallLimits) -> Failure {
    let message = format!("the answer {what}; {} bytes are allowed", limits.output);
    failure(FailureReason::OutputTooLarge, message)
}

/// Returns why wasmtime ended a call.
pub(crate) fn from_error(
    error: &wasmtime::Error,
    state: &CallState,
    usage: Usage,
    limits: CallLimits,
) -> Failure {
    let trap = error.downcast_ref::<Trap>().copied();
    let mut failure = if let Some(timeout) = state.timeout {
        timed_out(timeout, usage, limits)
    } else if trap == Some(Trap::OutOfFuel) {
        let message = format!(
            "the call used all of its {} instructions; `tessera plugin run --fuel` shows how many it needs",
            limits.fuel
        );
        failure(FailureReason::OutOfFuel, message)
    } else if let Some(bytes) = state.refused_memory {
        let message = format!(
            "the instance wanted {bytes} bytes of memory and tables; {} are allowed: `tessera plugin run --memory` shows how many it needs",
            limits.memory
        );
        failure(FailureReason::OutOfMemory, message)
    } else if let Some(trap) = trap {
        failure(FailureReason::Trapped, format!("the plugin trapped: {trap}"))
    } else if error.to_string().contains("hostcalls") {
        // wasmtime has no type for it.
        output_too_large("or what it passed to the host is too large", limits)
    } else {
        failure(FailureReason::BadAnswer, format!("the answer cannot be read: {}", error.root_cause()))
    };
    failure.backtrace = backtrace(error);
    failure
}

fn timed_out(timeout: Timeout, usage: Usage, limits: CallLimits) -> Failure {
    match timeout {
        Timeout::Guest => {
            let message = format!(
                "the call ran for {} ms; {} are allowed: `tessera plugin run --time-ms` shows how many it needs",
                usage.time.as_millis(),
                limits.time.as_millis()
            );
            failure(FailureReason::TimedOut, message)
        }
        Timeout::Request => failure(FailureReason::Late, "the deadline of the request has passed".to_owned()),
    }
}

/// Returns the names of the functions in which the guest was, innermost first.
fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => demangle(name),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().map(name).filter(|name| !is_panic_frame(name)).take(MAX_FRAMES).collect()
}

/// Returns whether a function belongs to Rust's panic machinery, which says nothing about the plugin.
fn is_panic_frame(name: &str) -> bool {
    let path = name.trim_start_matches('<');
    let path = path.strip_prefix("__rustc::").unwrap_or(path);
    PANIC_PATHS.iter().any(|prefix| path.starts_with(prefix))
}

/// Returns a function's name as in the source, cut to the kept length.
fn demangle(name: &str) -> String {
    match rustc_demangle::try_demangle(name) {
        Ok(name) => BoundedText::of(format_args!("{name:#}"), MAX_NAME),
        Err(_) => BoundedText::of(name, MAX_NAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_panic_machinery_are_dropped() {
        for name in [
            "_ZN4core9panicking9panic_fmt17h0123456789abcdefE",
            "_ZN3std9panicking19begin_panic_handler28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
            "<std::panicking::begin_panic_handler::FormatStringPayload as core::fmt::Display>::fmt",
            "_ZN3std3sys9backtrace26__rust_end_short_backtrace17h0123456789abcdefE",
            "_ZN4core6option13unwrap_failed17h0123456789abcdefE",
            "_RNvCsdBezzDwma51_7___rustc17rust_begin_unwind",
            "rust_begin_unwind",
        ] {
            assert!(is_panic_frame(&demangle(name)), "{name} is {}", demangle(name));
        }
        for name in ["hostile::misbehave", "<hostile::Hostile as Plugin>::manifest", "core::fmt::write"] {
            assert!(!is_panic_frame(name), "{name}");
        }
    }

    #[test]
    fn names_of_functions_and_messages_are_cut() {
        assert_eq!(demangle("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
        assert_eq!(demangle(&"n".repeat(1 << 20)).len(), MAX_NAME);
        let long = format!("_ZN{0}{1}E", 10_000, "n".repeat(10_000));
        assert_eq!(demangle(&long).len(), MAX_NAME);
        assert_eq!(failure(FailureReason::BadAnswer, "m".repeat(1 << 20)).message.len(), MAX_MESSAGE);
    }
}
