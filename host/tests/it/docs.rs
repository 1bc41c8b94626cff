//! The documents: the OpenAPI description, the pages to try it, and the README's first steps.

mod openapi;
mod readme;
