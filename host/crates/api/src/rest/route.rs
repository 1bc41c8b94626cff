//! A route of the REST table: method, path and operation, and how its request is decoded and its answer encoded.

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
use crate::state::{AuthMode, reject_nul};

/// The root of the issue tracker's paths for clients of its predecessor.
pub(super) const TRACKER: &[&str] = &["/api/v1"];

/// The root of the event system's paths for clients of its predecessor.
pub(super) const EVENTS: &[&str] = &[""];

/// The description of a route's request and answer.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The HTTP method.
    pub(super) method: Method,
    /// The path, below `/v1` or `/v2`.
    pub(super) path: &'static str,
    /// The operation's id in the OpenAPI document.
    pub(super) id: &'static str,
    /// The full name of the request message; empty if the route takes no arguments.
    pub(super) request: String,
    /// The shape of the answer for each media type.
    pub(super) answers: Vec<(&'static str, Shape)>,
    /// The status of success.
    pub(super) status: StatusCode,
    /// The authentication that the route requires.
    pub(super) auth: AuthMode,
    /// The `Location` template of a created resource; `{id}` is its id.
    pub(super) location: Option<&'static str>,
    /// The request field that the body contains; otherwise the body is the whole request.
    pub(super) body_field: Option<&'static str>,
    /// How the update mask is built.
    pub(super) mask: MaskRule,
    /// Whether the answer contains a secret and must not be cached.
    pub(super) secret: bool,
    /// Other roots below which the path is served.
    pub(super) aliases: &'static [&'static str],
    /// A summary that replaces the RPC's comment.
    pub(super) summary: Option<&'static str>,
    /// Query parameters that are not fields of the request, with their descriptions.
    pub(super) parameters: Vec<(&'static str, &'static str)>,
    /// Whether the route is in the OpenAPI document.
    pub(super) is_documented: bool,
}

/// The shape of an answer.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A message, by its full name.
    Message(String),
    /// A schema, by its name.
    Schema(&'static str),
    /// Bytes.
    Binary,
    /// Text.
    Text,
}

/// A route and its handler.
pub(super) struct RouteEntry {
    pub(super) route: Route,
    handler: Box<dyn FnOnce(Arc<Route>) -> MethodRouter<Rest> + Send>,
}

/// Creates a route that calls an operation.
fn route<Q, A, F, Fut>(method: Method, path: &'static str, id: &'static str, operation: F) -> RouteEntry
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
    RouteEntry { route, handler: Box::new(handler) }
}

/// Creates a route with its own handler. The request message describes its parameters.
pub(super) fn special<H, T>(
    method: Method,
    path: &'static str,
    id: &'static str,
    request: String,
    handler: H,
) -> RouteEntry
where
    H: Handler<T, Rest> + Sync,
    T: 'static,
{
    let filter = filter(&method);
    RouteEntry {
        route: Route::new(method, path, id, request),
        handler: Box::new(move |_| on(filter, handler)),
    }
}

fn filter(method: &Method) -> MethodFilter {
    // All methods in the table are known to the router.
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
        pub(super) fn $name<Q, A, F, Fut>(path: &'static str, id: &'static str, operation: F) -> RouteEntry
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
    get GET "Creates a GET route; the query is the request.";
    post POST "Creates a POST route; the body is the request.";
    put PUT "Creates a PUT route; the body is the request, without an update mask.";
    patch PATCH "Creates a PATCH route; the body is a JSON merge patch, and its members are the update mask.";
    delete DELETE "Creates a DELETE route; the query is the request.";
}

impl RouteEntry {
    /// Allows callers without a key.
    pub(super) fn public(mut self) -> Self {
        self.route.auth = AuthMode::Public;
        self
    }

    /// Responds 201 with the `Location` of the created resource.
    pub(super) fn created(mut self, location: &'static str) -> Self {
        self.route.location = Some(location);
        self.created_in_place()
    }

    /// Responds 201 without `Location`.
    pub(super) fn created_in_place(mut self) -> Self {
        self.route.status = StatusCode::CREATED;
        self
    }

    /// Reads the body as one field of the request.
    pub(super) fn body(mut self, field: &'static str) -> Self {
        self.route.body_field = Some(field);
        self
    }

    /// Adds the members of this field, instead of the field, to the update mask.
    pub(super) fn merging(mut self, field: &'static str) -> Self {
        self.route.mask = MaskRule::Members(Some(field));
        self
    }

    /// Adds every field to the update mask: without a mask, absent fields of this message would stay.
    pub(super) fn naming_every_field(mut self) -> Self {
        self.route.mask = MaskRule::Every;
        self
    }

    /// Forbids caching, because the answer contains a secret.
    pub(super) fn secret(mut self) -> Self {
        self.route.secret = true;
        self
    }

    /// Serves the path below other roots as well, which are not in the OpenAPI document.
    pub(super) fn also_below(mut self, roots: &'static [&'static str]) -> Self {
        self.route.aliases = roots;
        self
    }

    /// Requires neither a key nor a tenant.
    pub(super) fn open(mut self) -> Self {
        self.route.auth = AuthMode::Open;
        self
    }

    /// Adds a media type of the answer.
    pub(super) fn answers(mut self, media_type: &'static str, shape: Shape) -> Self {
        self.route.answers.push((media_type, shape));
        self
    }

    /// Adds a query parameter that is not a field of the request.
    pub(super) fn parameter(mut self, name: &'static str, about: &'static str) -> Self {
        self.route.parameters.push((name, about));
        self
    }

    /// Omits the route from the OpenAPI document, because another route has the same operation.
    pub(super) fn undocumented(mut self) -> Self {
        self.route.is_documented = false;
        self
    }

    /// Sets a summary where the RPC's comment does not fit.
    pub(super) fn summary(mut self, summary: &'static str) -> Self {
        self.route.summary = Some(summary);
        self
    }

    /// Returns the description and the handler.
    pub(super) fn mount(self) -> (Arc<Route>, MethodRouter<Rest>) {
        let route = Arc::new(self.route);
        (Arc::clone(&route), (self.handler)(route))
    }
}

/// Decodes the request, calls the operation and encodes its answer.
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
        reject_nul(name, value)?;
    }
    let source = if has_body(&route.method) { "body" } else { "query" };
    let request = Request::from_parts(parts, body);
    let members = read_members(route, request).await?;
    let message = decode::message(members, &path, route.mask, source)
        .map_err(|error| relative_to_body(route, error))?;
    // Only now: a client that sends its body slowly must not occupy a place.
    let _permit = rest.wait_for_turn(&ctx).await?;
    let answer = operation(Arc::clone(rest.api()), ctx, message).await?;
    Ok(encode(route, &path, &answer)?)
}

/// Makes the paths of faults relative to the body where the body is one field of the request.
fn relative_to_body(route: &Route, error: Error) -> Error {
    let Some(field) = route.body_field else { return error };
    error.renamed(|path| path.strip_prefix(field)?.strip_prefix('.').map(str::to_owned))
}

/// Whether requests with a method have a body.
pub(super) fn has_body(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::DELETE)
}

/// Reads the members of the query or of the body.
async fn read_members(route: &Route, request: Request) -> Result<Members, Problem> {
    if !has_body(&route.method) {
        return Ok(decode::query(request.uri())?);
    }
    // An action without arguments needs no body; PUT and PATCH do.
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
    // google.protobuf.Empty is the unit type, which serde encodes as null.
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
    let location = route.location.map(|template| fill_location(template, path, answer.id.as_deref()));
    for (name, text) in [(ETAG, etag), (LOCATION, location)] {
        if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Fills a `Location` template with the path parameters and the id of the answer.
fn fill_location(template: &str, path: &[(&str, &str)], id: Option<&str>) -> String {
    let parts = path.iter().copied().chain(id.map(|id| ("id", id)));
    parts.fold(template.to_owned(), |location, (name, value)| location.replace(&format!("{{{name}}}"), value))
}
