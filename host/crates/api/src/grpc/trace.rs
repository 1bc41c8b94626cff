//! The trace of an RPC: request id, start time and caller.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tessera_core::{Ctx, Result};
use tonic::codegen::http::{Extensions, HeaderMap, Uri};

use crate::in_flight::InFlight;
use crate::state::request_id;

/// The path of uploads.
const UPLOAD: &str = "/plugin.v1.PluginService/UploadRelease";

/// The trace of an RPC while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// The request id.
    pub request_id: Arc<str>,
    /// When the RPC started.
    pub started_at: Instant,
    /// The client's timeout, if it sent one.
    pub timeout: Option<Duration>,
    /// The host name that the client called.
    pub host: Option<Arc<str>>,
    /// Whether it uploads a component.
    pub is_upload: bool,
    /// Its bytes in flight.
    pub(super) in_flight: InFlight,
    pub(super) ctx: Arc<OnceLock<Ctx>>,
}

impl Trace {
    pub(super) fn new(headers: &HeaderMap, in_flight: InFlight) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            request_id: request_id(text("x-request-id"), text("traceparent")),
            started_at: Instant::now(),
            timeout: text("grpc-timeout").and_then(timeout),
            host: text("host").map(Into::into),
            is_upload: false,
            in_flight,
            ctx: Arc::default(),
        }
    }

    /// Notes what the address says: the RPC, and with HTTP/2 the host name, which is preferred.
    pub(super) fn with_uri(mut self, uri: &Uri) -> Self {
        self.host = uri.host().map(Into::into).or(self.host);
        self.is_upload = uri.path() == UPLOAD;
        self
    }

    /// Returns the trace in the extensions of a request.
    #[must_use]
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(|| Self::new(&HeaderMap::new(), InFlight::default()))
    }

    /// Sets the caller, and counts the bytes of the request for it.
    pub(crate) fn admit(&self, ctx: &Ctx) -> Result<()> {
        // A request has one caller: the first context stays.
        let _ = self.ctx.set(ctx.clone());
        self.in_flight.admit(ctx)
    }
}

/// Parses `grpc-timeout`: at most 8 digits and a unit. A malformed value is ignored.
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
    fn grpc_timeout_is_parsed() {
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
