//! Authentication of RPCs by their metadata, before a message is read.

use std::sync::Arc;

use tessera_core::{Result, Transport};
use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::request::Parts;

use crate::grpc::trace::Trace;
use crate::state::{ApiState, AuthMode, RequestHead};

/// The RPCs of a service, in snake case, with the authentication that each requires.
pub(super) trait Rpcs {
    const MODES: &'static [(&'static str, AuthMode)];
}

/// Authenticates the callers of a service.
#[derive(Clone)]
pub(super) struct Authentication {
    /// The greatest message that the service decodes.
    pub(super) max_message: usize,
    api: Arc<ApiState>,
    modes: Arc<[(String, AuthMode)]>,
}

impl Authentication {
    /// Authenticates the callers of a service, which decodes messages of at most `max_message` bytes.
    pub(super) fn of<S: Rpcs>(api: &Arc<ApiState>, max_message: usize) -> Self {
        let modes = S::MODES.iter().map(|(rpc, mode)| (pascal_case(rpc), *mode)).collect();
        Self { max_message, api: Arc::clone(api), modes }
    }

    /// Authenticates the caller, and counts the request. An unknown RPC has no caller; the service refuses it.
    pub(super) async fn check(&self, head: &Parts, trace: &Trace) -> Result<()> {
        let rpc = head.uri.path().rsplit('/').next().unwrap_or_default();
        let Some((_, mode)) = self.modes.iter().find(|(name, _)| name == rpc) else { return Ok(()) };
        let ctx = self.api.context(*mode, &request_head(&head.headers, trace)).await?;
        trace.admit(&ctx)
    }
}

/// Converts a name in snake case to that of an RPC.
fn pascal_case(name: &str) -> String {
    let capitalized = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').filter(|word| !word.is_empty()).map(capitalized).collect()
}

fn request_head<'a>(headers: &'a HeaderMap, trace: &'a Trace) -> RequestHead<'a> {
    // A value that is not ASCII becomes text that every parser refuses.
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
    RequestHead {
        address: trace.in_flight.connection().address(),
        authorization: text("authorization"),
        tenant: text("x-tenant"),
        host: trace.host.as_deref(),
        idempotency_key: text("idempotency-key"),
        request_id: Arc::clone(&trace.request_id),
        transport: Transport::Grpc,
        timeout: trace.timeout,
        is_upload: trace.is_upload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rpc_names_are_in_pascal_case() {
        for (name, rpc) in
            [("get_event_by_id", "GetEventById"), ("who_am_i", "WhoAmI"), ("check_in", "CheckIn")]
        {
            assert_eq!(pascal_case(name), rpc);
        }
    }
}
