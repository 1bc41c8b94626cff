//! Tickets, and the keys of their codes.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::admission::revoked_codes::{MAX_PAGE as MAX_REVOKED, SPEC as REVOKED};
use tessera_core::admission::ticket::{MAX_PAGE, SPEC};
use tessera_core::admission::{Code, Ticket};
use tessera_core::id::{EventId, TicketId};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::admission::REVOKED_ORDER;
use crate::print::{Format, print as printed};
use crate::request::AskedPage;
use crate::rest::dto::admission::{
    CancelTicketBody, RevokedCodesPage, RotateKeysBody, SigningKeyAnswer, SigningKeyBody, SigningKeysAnswer,
    TicketAnswer, TicketBody, TicketsPage, TransferTicketBody,
};
use crate::rest::error::Problem;
use crate::rest::event::ALIAS;
use crate::rest::extract::{Ask, Id, MaybeSent, Public, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};
use crate::tokens::PageQuery;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with(routes!(list))
        .with_alias(ALIAS, routes!(get))
        .with(routes!(print))
        .with(routes!(transfer))
        .with(routes!(cancel))
        .with(routes!(revoked))
        .with(routes!(keys))
        .with(routes!(rotate))
}

/// As what a ticket is shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct ShownAs {
    /// `json`, `png`, `svg` or `pdf`; absent: as the header `Accept` asks, or JSON.
    format: String,
}

/// As what a ticket is printed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct PrintedAs {
    /// `png` or `svg`: its code as a picture; `pdf` or absent: a page.
    format: String,
}

/// Which page of void codes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct RevokedQuery {
    /// At most so many: 1 to 1,000; 0 means 50, more means 1,000.
    page_size: i64,
    /// Where the page before ended; absent: the first page.
    page_token: String,
    /// Which of them: `revoked>2026-12-12T18:00:00Z`; absent: all.
    filter: String,
}

fn shown((held, code): (Ticket, Option<Code>)) -> Reply<TicketAnswer> {
    let ticket = TicketBody::new(held, code);
    let tag = ticket.etag.clone();
    Reply::ok(TicketAnswer { ticket }).tagged(&tag)
}

/// A ticket's document. It lets somebody in, so nobody on the way keeps it.
async fn document(rest: &Rest, ctx: &Ctx, (id, format): (TicketId, Format)) -> Result<Response, Problem> {
    let content = printed(&rest.app, ctx, id, format).await?;
    let name = format!("inline; filename=\"ticket-{id}.{}\"", format.name());
    let headers = [
        (CONTENT_TYPE, format.media_type().to_owned()),
        (CACHE_CONTROL, "private, no-store".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, content).into_response())
}

/// Lists tickets.
///
/// Filters: `event`, `reservation`, `type`, `holder`, `state`, `inside`, `created`; order: `created`. At most 200 rows.
#[utoipa::path(get, path = "/v1/tickets", operation_id = "ticket.list", tag = "tickets", params(ListQuery),
    responses((status = 200, description = "A page of tickets", body = TicketsPage)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<TicketsPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::TicketList);
    let page = rest.app.tickets.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    let tickets = page.items.into_iter().map(|(held, code)| TicketBody::new(held, code)).collect();
    Ok(Reply::ok(TicketsPage { tickets, next_page_token }))
}

/// Shows a ticket, with its code for who may sell.
///
/// As a document where `format` or the header `Accept` asks for one; this takes the rights of `ticket.print`.
#[utoipa::path(get, path = "/v1/tickets/{ticket_id}", operation_id = "ticket.get", tag = "tickets",
    params(ShownAs),
    responses((status = 200, description = "The ticket", content(
        (TicketAnswer = "application/json"), (Vec<u8> = "image/png"), (String = "image/svg+xml"),
        (Vec<u8> = "application/pdf")))))]
async fn get(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<TicketId>,
    Ask(ask): Ask<ShownAs>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = match ask.format.as_str() {
        "" => Format::accepted(accepted),
        named => Format::parse_shown("format", named)?,
    };
    let answer = match format {
        Some(format) => document(&rest, &ctx, (id, format)).await?,
        None => shown(rest.app.tickets.get(&ctx, id).await?).into_response(),
    };
    Ok(([(VARY, ACCEPT.as_str())], answer).into_response())
}

/// Prints a valid ticket: its code as a picture, or a page.
#[utoipa::path(get, path = "/v1/tickets/{ticket_id}:print", operation_id = "ticket.print", tag = "tickets",
    params(PrintedAs),
    responses((status = 200, description = "The document", content(
        (Vec<u8> = "application/pdf"), (Vec<u8> = "image/png"), (String = "image/svg+xml")))))]
async fn print(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<TicketId>,
    Ask(ask): Ask<PrintedAs>,
) -> Result<Response, Problem> {
    document(&rest, &ctx, (id, Format::parse("format", &ask.format)?)).await
}

/// Gives a ticket that was not used to another holder. It gets a new code; the old one is void.
#[utoipa::path(post, path = "/v1/tickets/{ticket_id}:transfer", operation_id = "ticket.transfer", tag = "tickets",
    request_body = TransferTicketBody,
    responses((status = 200, description = "The ticket, with its new code", body = TicketAnswer)))]
async fn transfer(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<TicketId>,
    Sent(body): Sent<TransferTicketBody>,
) -> Answer<TicketAnswer> {
    Ok(shown(rest.app.tickets.transfer(&ctx, id, body.holder).await?))
}

/// Cancels a ticket. Its code is void; its unit can be sold again if `restock` says so.
#[utoipa::path(post, path = "/v1/tickets/{ticket_id}:cancel", operation_id = "ticket.cancel", tag = "tickets",
    request_body = Option<CancelTicketBody>,
    responses((status = 200, description = "The ticket, cancelled", body = TicketAnswer)))]
async fn cancel(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<TicketId>,
    MaybeSent(body): MaybeSent<CancelTicketBody>,
) -> Answer<TicketAnswer> {
    Ok(shown((rest.app.tickets.cancel(&ctx, id, body.restock).await?, None)))
}

/// Lists codes of an event's tickets that are void: what a scanner without a connection must know.
#[utoipa::path(get, path = "/v1/events/{event_id}/revoked-codes", operation_id = "ticket.revoked", tag = "check-ins",
    params(RevokedQuery),
    responses((status = 200, description = "A page of codes", body = RevokedCodesPage)))]
async fn revoked(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Ask(ask): Ask<RevokedQuery>,
) -> Answer<RevokedCodesPage> {
    let named = event.to_string();
    let (operation, scope) = (Operation::TicketRevoked, [named.as_str()]);
    let query = PageQuery { operation, filter: &ask.filter, order_by: REVOKED_ORDER, scope: &scope };
    let (spec, max) = (&REVOKED, MAX_REVOKED);
    let asked = AskedPage { spec, max, size: ask.page_size, token: &ask.page_token, query };
    let page = rest.app.tickets.revoked(&ctx, event, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    let revoked_codes = page.items.into_iter().map(Into::into).collect();
    Ok(Reply::ok(RevokedCodesPage { revoked_codes, next_page_token }))
}

/// Lists the keys by which codes are verified, oldest first.
///
/// A code is base32 (RFC 4648, without padding) of 85 bytes: the version 1; the number of the key (two bytes,
/// big-endian, as all numbers); the number of the code (two bytes); the ticket's id (16 bytes); and an Ed25519 signature
/// (64 bytes) over `tessera ticket 1` in ASCII, the tenant's id, the event's id and the 21 bytes before the signature.
#[utoipa::path(get, path = "/v1/signing-keys", operation_id = "signing_key.list", tag = "check-ins",
    security(("bearer" = []), ()),
    responses((status = 200, description = "The keys", body = SigningKeysAnswer)))]
async fn keys(Public(ctx): Public, State(rest): State<Rest>) -> Answer<SigningKeysAnswer> {
    let keys = rest.app.codes.list(&ctx).await?;
    let keys = keys.iter().map(SigningKeyBody::from).collect();
    Ok(Reply::ok(SigningKeysAnswer { keys, tenant_id: ctx.tenant.to_string() }))
}

/// Makes a new key, by which codes are signed from now on.
#[utoipa::path(post, path = "/v1/signing-keys:rotate", operation_id = "signing_key.rotate", tag = "check-ins",
    request_body = Option<RotateKeysBody>,
    responses((status = 200, description = "The key that signs from now on", body = SigningKeyAnswer)))]
async fn rotate(
    ctx: Ctx,
    State(rest): State<Rest>,
    MaybeSent(body): MaybeSent<RotateKeysBody>,
) -> Answer<SigningKeyAnswer> {
    let made = rest.app.codes.rotate(&ctx, body.revoke_former).await?;
    Ok(Reply::ok(SigningKeyAnswer { key: SigningKeyBody::from(&made) }))
}
