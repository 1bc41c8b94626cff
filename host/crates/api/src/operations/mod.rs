//! The API's operations: one function each, for all transports.
//!
//! An operation takes the API's state, the context of the call and the request message. It reads the request, calls a
//! service and returns the response message. gRPC registers the functions in `grpc/services.rs`, REST in
//! `rest/routes/`.

pub(crate) mod booking;
pub(crate) mod check_in;
pub(crate) mod command;
pub(crate) mod comment;
pub(crate) mod dynamic_pricing;
pub(crate) mod event;
pub(crate) mod fact;
pub(crate) mod hold_rules;
pub(crate) mod installation;
pub(crate) mod inventory;
pub(crate) mod issue;
pub(crate) mod key;
pub(crate) mod label;
pub(crate) mod link;
pub(crate) mod pricing;
pub(crate) mod project;
pub(crate) mod promotion;
pub(crate) mod release;
pub(crate) mod reservation;
pub(crate) mod scheme;
pub(crate) mod series;
pub(crate) mod tenant;
pub(crate) mod ticket;
pub(crate) mod ticket_type;
pub(crate) mod timer;
pub(crate) mod transition;
pub(crate) mod user_v1;
pub(crate) mod user_v2;
pub(crate) mod venue;
pub(crate) mod watcher;

mod answer;
mod paging;

use std::sync::Arc;

use tessera_core::Ctx;

pub(crate) use self::answer::Answer;
pub(crate) use self::paging::{listing, plain_page};
use crate::state::{ApiState, accepted_versions};

/// The state of operations.
pub(crate) type Api = Arc<ApiState>;

/// Restricts the call to the versions of the request's entity tags; without a tag, the restriction of the context
/// stays.
pub(crate) fn at_version(ctx: Ctx, etag: &str) -> Ctx {
    ctx.if_version(accepted_versions(etag))
}
