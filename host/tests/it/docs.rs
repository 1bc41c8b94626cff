//! The documents: the OpenAPI description, its pages, the README's first steps, and links.

mod links;
mod openapi;
mod readme;
