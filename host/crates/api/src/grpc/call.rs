//! From a request to a service call and back: metadata, the caller, pages, sizes.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use prost::Message;
use tessera_core::access::Operation;
use tessera_core::filter::Spec;
use tessera_core::{Ctx, Error, ErrorKind, Result, Transport};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::grpc::error::refuse;
use crate::grpc::front::Trace;
use crate::grpc::outgoing::{News, Outgoing};
use crate::request::{Asked, AskedPage, Gate, PLAIN, plain_query, version_of};
use crate::tokens::PageQuery;

/// What the services work with.
#[derive(Clone)]
pub struct Grpc {
    gate: Arc<Gate>,
    /// The largest message that is sent.
    send: usize,
}

/// Whom an RPC is for.
#[derive(Clone, Copy)]
pub(super) enum Door {
    /// Holders of a key.
    Keyed,
    /// Everybody: it does a public operation.
    Public,
}

/// Which page of a list is asked for.
pub(super) struct Listing<'a> {
    pub(super) size: i32,
    pub(super) token: &'a str,
    pub(super) filter: &'a str,
    pub(super) order_by: &'a str,
}

impl Deref for Grpc {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.gate
    }
}

impl Grpc {
    pub(super) fn new(gate: Arc<Gate>, send: usize) -> Self {
        Self { gate, send }
    }

    /// Carries one RPC out.
    pub(super) async fn answer<Q, A, F, Fut>(
        &self,
        door: Door,
        request: Request<Q>,
        handle: F,
    ) -> Result<Response<A>, Status>
    where
        A: Message,
        F: FnOnce(Ctx, Q) -> Fut,
        Fut: Future<Output = Result<A>>,
    {
        let trace = Trace::of(request.extensions());
        let answered = async {
            let (ctx, ask) = self.enter(door, &trace, request).await?;
            let answer = handle(ctx, ask).await?;
            self.check_size(&answer)?;
            Ok(answer)
        };
        answered.await.map(Response::new).map_err(|error: Error| refuse(&error, &trace.request_id))
    }

    /// Opens a stream of answers: `open` says whether it may be, `pump` fills it.
    pub(super) async fn stream<Q, A, S, O, P, Opened, Pumped>(
        &self,
        door: Door,
        request: Request<Q>,
        open: O,
        pump: P,
    ) -> Result<Response<Outgoing<A>>, Status>
    where
        A: Send + 'static,
        O: FnOnce(Ctx, Q) -> Opened,
        Opened: Future<Output = Result<S>>,
        P: FnOnce(S, News<A>) -> Pumped,
        Pumped: Future<Output = Result<()>> + Send + 'static,
    {
        let trace = Trace::of(request.extensions());
        let opened = async {
            let (ctx, ask) = self.enter(door, &trace, request).await?;
            open(ctx, ask).await
        };
        let opened = opened.await.map_err(|error: Error| refuse(&error, &trace.request_id))?;
        Ok(Response::new(Outgoing::pumped(&trace, |news| pump(opened, news))))
    }

    async fn enter<Q>(&self, door: Door, trace: &Trace, request: Request<Q>) -> Result<(Ctx, Q)> {
        let (metadata, _, ask) = request.into_parts();
        let asked = asked(&metadata, trace);
        let ctx = match door {
            Door::Keyed => self.ctx(&asked).await?,
            Door::Public => self.public_ctx(&asked).await?,
        };
        trace.learn(&ctx);
        Ok((ctx, ask))
    }

    fn check_size(&self, answer: &impl Message) -> Result<()> {
        let (length, most) = (answer.encoded_len(), self.send);
        if length <= most {
            return Ok(());
        }
        let message =
            format!("the answer has {length} bytes, and at most {most} are sent; ask for a smaller page");
        Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message))
    }
}

impl<'a> Listing<'a> {
    /// The page of a list with filter and order.
    pub(super) fn of(self, spec: &'static Spec, max: u32, operation: Operation) -> AskedPage<'a> {
        let query = PageQuery { operation, filter: self.filter, order_by: self.order_by, scope: &[] };
        AskedPage { spec, max, size: self.size.into(), token: self.token, query }
    }
}

/// The page of a list without filter and order.
pub(super) fn plain_page<'a>(
    (size, token): (i32, &'a str),
    max: u32,
    operation: Operation,
    scope: &'a [&'a str],
) -> AskedPage<'a> {
    AskedPage { spec: &PLAIN, max, size: size.into(), token, query: plain_query(operation, scope) }
}

/// The same context at the version that the entity tag of a request names.
pub(super) fn at(ctx: Ctx, etag: &str) -> Ctx {
    ctx.if_version(version_of(etag))
}

/// A value of the metadata as text; what is not ASCII becomes text that nothing takes.
fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

/// What a request says about itself.
fn asked<'a>(metadata: &'a MetadataMap, trace: &'a Trace) -> Asked<'a> {
    Asked {
        authorization: text(metadata, "authorization"),
        tenant: text(metadata, "x-tenant"),
        host: trace.host.as_deref(),
        idempotency_key: text(metadata, "idempotency-key"),
        request_id: Arc::clone(&trace.request_id),
        transport: Transport::Grpc,
        timeout: trace.timeout,
    }
}
