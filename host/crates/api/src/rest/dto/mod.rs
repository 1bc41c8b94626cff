//! What goes over the wire as JSON. The names are those of the protos; enums are their names as text.

pub mod admission;
pub mod booking;
pub mod check_in;
pub mod command;
pub mod event;
pub mod fact;
pub mod hanging;
pub mod installation;
pub mod inventory;
pub mod issue;
pub mod issue_write;
pub mod patch;
pub mod project;
pub mod release;
pub mod reservation;
pub mod scheme;
pub mod series;
pub mod tenancy;
pub mod ticket_type;
pub mod timer;
pub mod user;
pub mod venue;

use serde::Serialize;
use utoipa::ToSchema;

/// An answer that says nothing but that it was done.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Empty {}

/// An id or another thing as text, where there is one.
pub fn text(thing: Option<impl ToString>) -> Option<String> {
    thing.map(|thing| thing.to_string())
}

/// Text that is there.
#[must_use]
pub fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
