//! One route of the REST table: method, path and operation, and what of the request and of the answer is where.

use std::future::Future;
use std::sync::Arc;

use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use prost::Name;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tessera_core::{Ctx, Error, Result};

use crate::operations::{Answer, Api};
use crate::rest::decode::{self, MaskRule, Members};
use crate::rest::error::Problem;
use crate::rest::extract::{context, read_body};
use crate::rest::state::Rest;
use crate::state::{AuthMode, plain};

/// Where the clients of the issue tracker's predecessor call it.
pub(super) const TRACKER: &[&str] = &["/api/v1"];

/// Where the clients of the event system's predecessor call it.
pub(super) const EVENTS: &[&str] = &[""];

/// The description of a route's request and answer.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The method.
    pub(super) method: Method,
    /// The path, below `/v1` or `/v2`.
    pub(super) path: &'static str,
    /// The operation's id in the OpenAPI document.
    pub(super) id: &'static str,
    /// The full name of the request message; empty: it takes no arguments.
    pub(super) request: String,
    /// What answers look like, by media type.
    pub(super) answers: Vec<(&'static str, Shape)>,
    /// The status of success.
    pub(super) status: StatusCode,
    /// Who may call it.
    pub(super) auth: AuthMode,
    /// The path at which what was created is found; `{id}` is its id.
    pub(super) location: Option<&'static str>,
    /// The field of the request that the body is; otherwise the body is the request.
    pub(super) body_field: Option<&'static str>,
    /// How the update mask is made.
    pub(super) mask: MaskRule,
    /// Whether the answer may not be kept by caches.
    pub(super) secret: bool,
    /// Whether the path answers below the roots of the seeds as well.
    pub(super) aliases: &'static [&'static str],
    /// Replaces the RPC's comment.
    pub(super) summary: Option<&'static str>,
    /// Query parameters that are no fields of the request.
    pub(super) parameters: Vec<(&'static str, &'static str)>,
    /// Whether it is in the OpenAPI document.
    pub(super) is_documented: bool,
}

/// What an answer looks like.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// The message of this full name.
    Message(String),
    /// The schema of this name.
    Schema(&'static str),
    /// Bytes.
    Binary,
    /// Text.
    Text,
}

/// A route and its handler.
pub(super) struct Mounted {
    pub(super) route: Route,
    handler: Box<dyn FnOnce(Arc<Route>) -> MethodRouter<Rest> + Send>,
}

/// A route to an operation.
fn route<Q, A, F, Fut>(method: Method, path: &'static str, id: &'static str, operation: F) -> Mounted
where
    Q: DeserializeOwned + Name + Send + 'static,
    A: Serialize + Name + 'static,
    F: Fn(Api, Ctx, Q) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer<A>>> + Send,
{
    let filter = filter(&method);
    let mask = if method == Method::PATCH { MaskRule::Members(None) } else { MaskRule::Absent };
    let answers = vec![("application/json", Shape::Message(A::full_name()))];
    let route = Route { mask, answers, ..Route::new(method, path, id, Q::full_name()) };
    let handler = move |route: Arc<Route>| {
        on(filter, move |State(rest): State<Rest>, request: Request| {
            let (operation, route) = (operation.clone(), Arc::clone(&route));
            async move { respond(&rest, &route, request, operation).await.unwrap_or_else(Problem::into_response) }
        })
    };
    Mounted { route, handler: Box::new(handler) }
}

/// A route with a handler of its own. Its request message describes its parameters.
pub(super) fn special<H, T>(
    method: Method,
    path: &'static str,
    id: &'static str,
    request: String,
    handler: H,
) -> Mounted
where
    H: Handler<T, Rest> + Sync,
    T: 'static,
{
    let filter = filter(&method);
    Mounted { route: Route::new(method, path, id, request), handler: Box::new(move |_| on(filter, handler)) }
}

fn filter(method: &Method) -> MethodFilter {
    // The table has no method that the router does not know.
    MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET)
}

impl Route {
    fn new(method: Method, path: &'static str, id: &'static str, request: String) -> Self {
        Self {
            method,
            path,
            id,
            request,
            answers: Vec::new(),
            status: StatusCode::OK,
            auth: AuthMode::Keyed,
            location: None,
            body_field: None,
            mask: MaskRule::Absent,
            secret: false,
            aliases: &[],
            summary: None,
            parameters: Vec::new(),
            is_documented: true,
        }
    }
}

macro_rules! methods {
    ($($name:ident $method:ident $about:literal;)*) => {$(
        #[doc = $about]
        pub(super) fn $name<Q, A, F, Fut>(path: &'static str, id: &'static str, operation: F) -> Mounted
        where
            Q: DeserializeOwned + Name + Send + 'static,
            A: Serialize + Name + 'static,
            F: Fn(Api, Ctx, Q) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<Answer<A>>> + Send,
        {
            route(Method::$method, path, id, operation)
        }
    )*};
}

methods! {
    get GET "Reads; the query is the request.";
    post POST "Changes; the body is the request.";
    put PUT "Replaces; the body is the request, and every field of it counts.";
    patch PATCH "Changes the members of a JSON merge patch.";
    delete DELETE "Deletes; the query is the request.";
}

impl Mounted {
    /// Callers need no key.
    pub(super) fn public(mut self) -> Self {
        self.route.auth = AuthMode::Public;
        self
    }

    /// Answers 201, with the place of what was created.
    pub(super) fn created(mut self, location: &'static str) -> Self {
        self.route.location = Some(location);
        self.created_in_place()
    }

    /// Answers 201; what was created has no place of its own.
    pub(super) fn created_in_place(mut self) -> Self {
        self.route.status = StatusCode::CREATED;
        self
    }

    /// The body is one field of the request.
    pub(super) fn body(mut self, field: &'static str) -> Self {
        self.route.body_field = Some(field);
        self
    }

    /// The members of this field are merged one by one.
    pub(super) fn merging(mut self, field: &'static str) -> Self {
        self.route.mask = MaskRule::Members(Some(field));
        self
    }

    /// Names every field in the update mask: without a mask, absent fields of this message would stay.
    pub(super) fn naming_every_field(mut self) -> Self {
        self.route.mask = MaskRule::Every;
        self
    }

    /// The answer has a secret in it.
    pub(super) fn secret(mut self) -> Self {
        self.route.secret = true;
        self
    }

    /// The same path answers below other roots, which are not in the OpenAPI document.
    pub(super) fn also_below(mut self, roots: &'static [&'static str]) -> Self {
        self.route.aliases = roots;
        self
    }

    /// Asks nothing of the caller, not even a tenant.
    pub(super) fn open(mut self) -> Self {
        self.route.auth = AuthMode::Open;
        self
    }

    /// Answers in this media type as well.
    pub(super) fn answers(mut self, media_type: &'static str, shape: Shape) -> Self {
        self.route.answers.push((media_type, shape));
        self
    }

    /// Takes a query parameter that is no field of the request.
    pub(super) fn parameter(mut self, name: &'static str, about: &'static str) -> Self {
        self.route.parameters.push((name, about));
        self
    }

    /// Leaves the route out of the OpenAPI document: another one is the same.
    pub(super) fn undocumented(mut self) -> Self {
        self.route.is_documented = false;
        self
    }

    /// Describes the route where the RPC's comment does not fit.
    pub(super) fn summary(mut self, summary: &'static str) -> Self {
        self.route.summary = Some(summary);
        self
    }

    /// The handler, with its description.
    pub(super) fn mount(self) -> (Arc<Route>, MethodRouter<Rest>) {
        let route = Arc::new(self.route);
        (Arc::clone(&route), (self.handler)(route))
    }
}

/// Decodes the request, runs the operation, encodes the answer.
async fn respond<Q, A, F, Fut>(
    rest: &Rest,
    route: &Route,
    request: Request,
    operation: F,
) -> Result<Response, Problem>
where
    Q: DeserializeOwned,
    A: Serialize + Name,
    F: FnOnce(Api, Ctx, Q) -> Fut,
    Fut: Future<Output = Result<Answer<A>>>,
{
    let (mut parts, body) = request.into_parts();
    let ctx = context(rest, &parts, route.auth).await?;
    let params = RawPathParams::from_request_parts(&mut parts, rest).await;
    let params = params.map_err(|_| Error::malformed("path", "is not UTF-8"))?;
    let path: Vec<(&str, &str)> = params.iter().collect();
    for (name, value) in &path {
        plain(name, value)?;
    }
    let whole = if has_body(&route.method) { "body" } else { "query" };
    let request = Request::from_parts(parts, body);
    let sent = sent(route, request).await?;
    let message = decode::message(sent, &path, route.mask, whole).map_err(|error| in_body(route, error))?;
    let answer = operation(Arc::clone(rest.api()), ctx, message).await?;
    Ok(encode(route, &path, &answer)?)
}

/// Names the places of faults as the client sees them, where the body is one field of the request.
fn in_body(route: &Route, error: Error) -> Error {
    let Some(field) = route.body_field else { return error };
    error.renamed(|path| path.strip_prefix(field)?.strip_prefix('.').map(str::to_owned))
}

/// Whether requests of a method have a body.
pub(super) fn has_body(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::DELETE)
}

/// What the client sent: the query, or the members of the body.
async fn sent(route: &Route, request: Request) -> Result<Members, Problem> {
    if !has_body(&route.method) {
        return Ok(decode::query(request.uri())?);
    }
    // An action without arguments needs no body; a replacement by nothing is a mistake.
    let may_be_empty = route.method == Method::POST;
    let members = match read_body(request, may_be_empty).await? {
        Some(bytes) if may_be_empty => decode::optional_body(&bytes)?,
        Some(bytes) => decode::body(&bytes)?,
        None => Members::new(),
    };
    Ok(match route.body_field {
        Some(field) => vec![(field.to_owned(), decode::object(members))],
        None => members,
    })
}

fn encode<A: Serialize + Name>(route: &Route, path: &[(&str, &str)], answer: &Answer<A>) -> Result<Response> {
    // google.protobuf.Empty is the unit type, which serde calls null.
    let is_empty = A::PACKAGE == "google.protobuf";
    let bytes =
        if is_empty { b"{}".to_vec() } else { serde_json::to_vec(&answer.body).map_err(Error::internal)? };
    let mut response = (route.status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if route.secret {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let etag = answer.etag.as_ref().map(|etag| format!("\"{etag}\""));
    let location = route.location.map(|template| located(template, path, answer.id.as_deref()));
    for (name, text) in [(ETAG, etag), (LOCATION, location)] {
        if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Fills a template with parts of the request's path and the id of the answer.
fn located(template: &str, path: &[(&str, &str)], id: Option<&str>) -> String {
    let parts = path.iter().copied().chain(id.map(|id| ("id", id)));
    parts.fold(template.to_owned(), |filled, (name, value)| filled.replace(&format!("{{{name}}}"), value))
}
