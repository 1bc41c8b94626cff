//! What goes over the wire as JSON. The names are those of the protos; enums are their names as text.

pub mod command;
pub mod fact;
pub mod hanging;
pub mod installation;
pub mod issue;
pub mod issue_write;
pub mod patch;
pub mod project;
pub mod release;
pub mod scheme;
pub mod tenancy;
pub mod user;

use serde::Serialize;
use utoipa::ToSchema;

/// An answer that says nothing but that it was done.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Empty {}

/// An id or another thing as text, where there is one.
pub fn text(thing: Option<impl ToString>) -> Option<String> {
    thing.map(|thing| thing.to_string())
}
