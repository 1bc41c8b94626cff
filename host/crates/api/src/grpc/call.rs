//! The state of the gRPC services, and how an RPC reaches its operation.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use prost::Message;
use tessera_core::{Ctx, Error, ErrorKind, Result};
use tonic::{Request, Response, Status};

use crate::grpc::error::status_of;
use crate::grpc::response_stream::{ResponseStream, StreamSender};
use crate::grpc::trace::Trace;
use crate::operations::{Answer, Api};
use crate::state::ApiState;

/// The state of the services.
#[derive(Clone)]
pub(crate) struct Grpc {
    api: Api,
    /// The largest response message, in bytes.
    max_send: usize,
}

impl Deref for Grpc {
    type Target = ApiState;

    fn deref(&self) -> &ApiState {
        &self.api
    }
}

impl Grpc {
    pub(super) fn new(api: Api, max_send: usize) -> Self {
        Self { api, max_send }
    }

    /// Runs one RPC.
    pub(super) async fn unary<Q, A, F, Fut>(
        &self,
        request: Request<Q>,
        operation: F,
    ) -> Result<Response<A>, Status>
    where
        A: Message,
        F: FnOnce(Api, Ctx, Q) -> Fut,
        Fut: Future<Output = Result<Answer<A>>>,
    {
        let trace = Trace::of(request.extensions());
        let response = async {
            let ctx = caller(&trace)?;
            // Uploads have a limit of their own.
            let _permit = if trace.is_upload { None } else { Some(self.wait_for_turn(&ctx).await?) };
            let answer = operation(Arc::clone(&self.api), ctx, request.into_inner()).await?;
            self.check_size(&answer.body, &trace)?;
            Ok(answer.body)
        };
        response.await.map(Response::new).map_err(|error: Error| status_of(&error, &trace.request_id))
    }

    /// Opens a stream of responses: `open` authorizes and opens it, `run` sends its messages.
    pub(super) async fn stream<Q, A, S, O, R, OpenFuture, RunFuture>(
        &self,
        request: Request<Q>,
        open: O,
        run: R,
    ) -> Result<Response<ResponseStream<A>>, Status>
    where
        A: Send + 'static,
        O: FnOnce(Ctx, Q) -> OpenFuture,
        OpenFuture: Future<Output = Result<S>>,
        R: FnOnce(S, StreamSender<A>) -> RunFuture,
        RunFuture: Future<Output = Result<()>> + Send + 'static,
    {
        let trace = Trace::of(request.extensions());
        let source = async {
            let source = open(caller(&trace)?, request.into_inner()).await?;
            trace.in_flight.stream();
            Ok(source)
        };
        let source = source.await.map_err(|error: Error| status_of(&error, &trace.request_id))?;
        Ok(Response::new(ResponseStream::spawn(&trace, |sender| run(source, sender))))
    }

    /// Refuses a response that is too large, and counts the bytes of any other until they are sent.
    fn check_size(&self, response: &impl Message, trace: &Trace) -> Result<()> {
        let (length, max) = (response.encoded_len(), self.max_send);
        if length <= max {
            return trace.in_flight.respond(length);
        }
        let message =
            format!("the response has {length} bytes, more than the limit of {max}; request a smaller page");
        Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message))
    }
}

/// Returns the context of the caller, which the middleware has authenticated.
fn caller(trace: &Trace) -> Result<Ctx> {
    let ctx = trace.ctx.get().cloned();
    ctx.ok_or_else(|| Error::internal(std::io::Error::other("an RPC is not in the table of its service")))
}
