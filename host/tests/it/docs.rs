//! The documents: the OpenAPI description, the pages to try it, the README's first steps, and links.

mod links;
mod openapi;
mod readme;
