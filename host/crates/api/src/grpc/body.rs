//! The body of an answer that writes the RPC's log line when it ends, or when the client leaves.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::grpc::error::code_in;
use crate::grpc::front::Line;

/// A body with the line that is still to be written.
pub(super) struct Logged {
    inner: Body,
    line: Option<Line>,
}

impl Logged {
    pub(super) fn new(inner: Body, line: Line) -> Self {
        Self { inner, line: Some(line) }
    }

    fn end(&mut self, code: Code) {
        if let Some(line) = self.line.take() {
            line.write(code);
        }
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
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.end(code_in(trailers).unwrap_or(Code::Unknown));
                }
            }
            Some(Err(status)) => {
                let code = status.code();
                self.end(code);
            }
            None => self.end(Code::Unknown),
        }
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
        self.end(Code::Cancelled);
    }
}
