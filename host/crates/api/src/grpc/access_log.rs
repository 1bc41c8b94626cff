//! The body of an answer that writes the RPC's log line when it ends, or when the client leaves.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::grpc::error::{code_in, code_name};
use crate::grpc::trace::Trace;
use crate::state::key_of;

/// The line of an RPC in the log, still to be written.
pub(super) struct Line {
    pub(super) rpc: String,
    pub(super) trace: Trace,
}

impl Line {
    /// Writes the one line of an RPC.
    pub(super) fn write(self, code: Code) {
        let Self { rpc, trace } = self;
        let ctx = trace.ctx.get();
        let key = ctx.and_then(key_of);
        // The path of what does not exist is whatever the client made up.
        let rpc = if code == Code::Unimplemented { "-" } else { rpc.as_str() };
        tracing::info!(
            transport = "grpc",
            rpc,
            code = code_name(code),
            ms = u64::try_from(trace.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            tenant = ctx.map(|ctx| ctx.tenant.to_string()),
            key,
            request_id = %trace.request_id,
            "request"
        );
    }
}

/// A body with the line that is still to be written. It is written when nothing is left to send, so that nothing is sent later
/// for its sake.
pub(super) struct Logged {
    inner: Body,
    line: Option<Line>,
    ended: Option<Code>,
}

impl Logged {
    pub(super) fn new(inner: Body, line: Line) -> Self {
        Self { inner, line: Some(line), ended: None }
    }
}

impl HttpBody for Logged {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let ended = match &frame {
            Some(Ok(frame)) => {
                frame.trailers_ref().map(|trailers| code_in(trailers).unwrap_or(Code::Unknown))
            }
            Some(Err(status)) => Some(status.code()),
            None => Some(Code::Unknown),
        };
        self.ended = self.ended.or(ended);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.write(self.ended.unwrap_or(Code::Cancelled));
        }
    }
}
