//! The domain of Tessera: models, rules, services, and the ports that they need.
//!
//! Nothing here depends on HTTP, gRPC, SQL, WebAssembly, a broker or JSON.

pub mod access;
pub mod admission;
pub mod booking;
pub mod bounded_text;
pub mod cache;
pub mod catalog;
pub mod changeset;
pub mod command;
pub mod ctx;
pub mod error;
pub mod fair;
pub mod filter;
pub mod id;
pub mod idempotency;
pub mod input;
pub mod inventory;
pub mod money;
pub mod outbox;
pub mod page;
pub mod plugin;
pub mod ports;
pub mod pricing;
pub mod secret;
pub mod tenancy;
pub mod text;
pub mod time;
pub mod tracker;
pub mod value;

mod app;
mod retry;

pub use access::Role;
pub use app::{App, Limits};
pub use changeset::Changeset;
pub use ctx::{Ctx, IfVersion, Principal, Transport};
pub use error::{Error, ErrorKind, Result, Violation};
pub use page::{Page, PageRequest};
pub use time::Timestamp;
pub use value::{Change, Field, Value};
