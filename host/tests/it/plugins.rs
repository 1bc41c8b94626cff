//! Plugins as their authors, their tenants and their operators meet them.

mod author;
mod guests;

pub use guests::{component, install, upload, varied};
