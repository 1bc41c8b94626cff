//! Tickets as JSON or as documents: an image of the code, or a printable page.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use prost::Name as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tessera_core::id::TicketId;
use tessera_core::{Ctx, Error, Result};
use tessera_proto::ticket::v1::{GetTicketRequest, GetTicketResponse, PrintTicketRequest};

use crate::operations::ticket;
use crate::rest::decode::{self, MaskRule};
use crate::rest::error::Problem;
use crate::rest::extract::{Keyed, Public};
use crate::rest::route::{EVENTS, RouteEntry, Shape, special};
use crate::rest::state::Rest;
use crate::ticket_document::format::{Format, render};

/// The query parameter of the format.
const FORMAT: &str = "format";

pub(super) fn routes() -> Vec<RouteEntry> {
    let (request, print_request) = (GetTicketRequest::full_name(), PrintTicketRequest::full_name());
    vec![
        special(Method::GET, "/v1/tickets/{ticket_id}", "ticket.get", request, get)
            .public()
            .also_below(EVENTS)
            .parameter(FORMAT, "json, png, svg or pdf; absent: the format in the header Accept, or JSON.")
            .answers("application/json", Shape::Message(GetTicketResponse::full_name()))
            .answers("image/png", Shape::Binary)
            .answers("image/svg+xml", Shape::Text)
            .answers("application/pdf", Shape::Binary),
        special(Method::GET, "/v1/tickets/{ticket_id}:print", "ticket.print", print_request, print_ticket)
            .summary("Prints a valid ticket: its code as an image, or a page.")
            .answers("application/pdf", Shape::Binary)
            .answers("image/png", Shape::Binary)
            .answers("image/svg+xml", Shape::Text),
    ]
}

/// The query of `ticket.get`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TicketQuery {
    format: String,
    code: String,
}

/// The query of `ticket.print`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PrintQuery {
    format: String,
}

fn read_query<Q: DeserializeOwned>(uri: &Uri) -> Result<Q> {
    decode::message(decode::query(uri)?, &[], MaskRule::Absent, "query")
}

/// Reads the id in the path.
fn ticket_id(params: &RawPathParams) -> Result<TicketId> {
    let (_, id) = params.iter().next().unwrap_or_default();
    TicketId::parse("ticket_id", id)
}

/// Responds with a ticket's document. It admits its bearer, so it must not be cached.
async fn document(rest: &Rest, ctx: &Ctx, (id, format): (TicketId, Format)) -> Result<Response, Problem> {
    let content = render(&rest.app, ctx, id, format).await?;
    let name = format!("inline; filename=\"ticket-{id}.{}\"", format.name());
    let headers = [
        (CONTENT_TYPE, format.media_type().to_owned()),
        (CACHE_CONTROL, "private, no-store".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, content).into_response())
}

async fn get(
    Public(ctx): Public,
    State(rest): State<Rest>,
    params: RawPathParams,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _permit = rest.wait_for_turn(&ctx).await?;
    let id = ticket_id(&params)?;
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let query: TicketQuery = read_query(&uri)?;
    let format = match query.format.as_str() {
        "" => Format::accepted(accepted),
        name => Format::parse_or_json(FORMAT, name)?,
    };
    let answer = match format {
        Some(format) => document(&rest, &ctx, (id, format)).await?,
        None => ticket_json(&rest, ctx, (id, query.code)).await?,
    };
    Ok(([(VARY, ACCEPT.as_str())], answer).into_response())
}

async fn ticket_json(rest: &Rest, ctx: Ctx, (id, code): (TicketId, String)) -> Result<Response, Problem> {
    let request = GetTicketRequest { ticket_id: id.to_string(), code };
    let answer = ticket::get(Arc::clone(rest.api()), ctx, request).await?;
    let body = serde_json::to_vec(&answer.body).map_err(Error::internal)?;
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    let etag = answer.etag.and_then(|etag| HeaderValue::try_from(format!("\"{etag}\"")).ok());
    if let Some(etag) = etag {
        response.headers_mut().insert(ETAG, etag);
    }
    Ok(response)
}

async fn print_ticket(
    Keyed(ctx): Keyed,
    State(rest): State<Rest>,
    params: RawPathParams,
    uri: Uri,
) -> Result<Response, Problem> {
    let format = Format::parse(FORMAT, &read_query::<PrintQuery>(&uri)?.format)?;
    document(&rest, &ctx, (ticket_id(&params)?, format)).await
}
