//! The state of the gRPC services, and how an RPC reaches its operation: metadata, authentication, size limits.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use prost::Message;
use tessera_core::{Ctx, Error, ErrorKind, Result, Transport};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::grpc::error::status_of;
use crate::grpc::response_stream::{ResponseStream, StreamSender};
use crate::grpc::trace::Trace;
use crate::operations::{Answer, Api};
use crate::state::{ApiState, AuthMode, RequestHead};

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
        auth: AuthMode,
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
            let (ctx, message) = self.enter(auth, &trace, request).await?;
            let answer = operation(Arc::clone(&self.api), ctx, message).await?;
            self.check_size(&answer.body)?;
            Ok(answer.body)
        };
        response.await.map(Response::new).map_err(|error: Error| status_of(&error, &trace.request_id))
    }

    /// Opens a stream of responses: `open` authorizes and opens it, `run` sends its messages.
    pub(super) async fn stream<Q, A, S, O, R, OpenFuture, RunFuture>(
        &self,
        auth: AuthMode,
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
            let (ctx, message) = self.enter(auth, &trace, request).await?;
            open(ctx, message).await
        };
        let source = source.await.map_err(|error: Error| status_of(&error, &trace.request_id))?;
        Ok(Response::new(ResponseStream::spawn(&trace, |sender| run(source, sender))))
    }

    async fn enter<Q>(&self, auth: AuthMode, trace: &Trace, request: Request<Q>) -> Result<(Ctx, Q)> {
        let (metadata, _, message) = request.into_parts();
        let ctx = self.context(auth, &request_head(&metadata, trace)).await?;
        trace.set_context(&ctx);
        Ok((ctx, message))
    }

    fn check_size(&self, response: &impl Message) -> Result<()> {
        let (length, max) = (response.encoded_len(), self.max_send);
        if length <= max {
            return Ok(());
        }
        let message =
            format!("the response has {length} bytes, more than the limit of {max}; request a smaller page");
        Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message))
    }
}

/// Returns a metadata value as text; a value that is not ASCII becomes text that every parser refuses.
fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

fn request_head<'a>(metadata: &'a MetadataMap, trace: &'a Trace) -> RequestHead<'a> {
    RequestHead {
        authorization: text(metadata, "authorization"),
        tenant: text(metadata, "x-tenant"),
        host: trace.host.as_deref(),
        idempotency_key: text(metadata, "idempotency-key"),
        request_id: Arc::clone(&trace.request_id),
        transport: Transport::Grpc,
        timeout: trace.timeout,
        is_upload: trace.is_upload,
    }
}
