//! A response body that writes the RPC's access log line when it ends or when the client disconnects.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::grpc::error::{code_name, grpc_status};
use crate::grpc::trace::Trace;
use crate::state::key_id;

/// The access log line of an RPC.
pub(super) struct Line {
    pub(super) rpc: String,
    pub(super) trace: Trace,
}

impl Line {
    /// Writes the line to the log.
    pub(super) fn write(self, code: Code) {
        let Self { rpc, trace } = self;
        let ctx = trace.ctx.get();
        let key = ctx.and_then(key_id);
        // The path of an unknown method is arbitrary input.
        let rpc = if code == Code::Unimplemented { "-" } else { rpc.as_str() };
        tracing::info!(
            transport = "grpc",
            rpc,
            code = code_name(code),
            ms = u64::try_from(trace.started_at.elapsed().as_millis()).unwrap_or(u64::MAX),
            tenant = ctx.map(|ctx| ctx.tenant.to_string()),
            key,
            request_id = %trace.request_id,
            "request"
        );
    }
}

/// A body that writes its line when it is dropped, so that logging does not delay the response.
pub(super) struct LoggedBody {
    inner: Body,
    line: Option<Line>,
    code: Option<Code>,
}

impl LoggedBody {
    pub(super) fn new(inner: Body, line: Line) -> Self {
        Self { inner, line: Some(line), code: None }
    }
}

impl HttpBody for LoggedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let code = match &frame {
            Some(Ok(frame)) => {
                frame.trailers_ref().map(|trailers| grpc_status(trailers).unwrap_or(Code::Unknown))
            }
            Some(Err(status)) => Some(status.code()),
            None => Some(Code::Unknown),
        };
        self.code = self.code.or(code);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.write(self.code.unwrap_or(Code::Cancelled));
        }
    }
}
