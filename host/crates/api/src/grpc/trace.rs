//! Traces of RPCs: id, time and caller.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tessera_core::Ctx;
use tonic::codegen::http::{Extensions, HeaderMap};

use crate::state::request_id;

/// The trace of an RPC while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// Names the request.
    pub request_id: Arc<str>,
    /// When it began.
    pub begun: Instant,
    /// The client's timeout, if it sent one.
    pub timeout: Option<Duration>,
    /// The host name that the client called.
    pub host: Option<Arc<str>>,
    pub(super) ctx: Arc<OnceLock<Ctx>>,
}

impl Trace {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            request_id: request_id(text("x-request-id"), text("traceparent")),
            begun: Instant::now(),
            timeout: text("grpc-timeout").and_then(timeout),
            host: text("host").map(Into::into),
            ctx: Arc::default(),
        }
    }

    /// The same with the host name in the address, where HTTP/2 has it.
    pub(super) fn at(mut self, host: Option<&str>) -> Self {
        self.host = host.map(Into::into).or(self.host);
        self
    }

    /// The trace of the request with these extensions.
    #[must_use]
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(|| Self::new(&HeaderMap::new()))
    }

    /// Sets the context for the log line.
    pub(crate) fn set_context(&self, ctx: &Ctx) {
        // A request has one caller: the first context stays.
        let _ = self.ctx.set(ctx.clone());
    }
}

/// Reads `grpc-timeout`: at most 8 digits and a unit. What is malformed is as if it were not there.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
        for bad in ["", "S", "1", "1s", "-1S", "123456789S", "1 S", "é"] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }
}
