//! The queries, written once: this folder is compiled for either driver, whose `dialect` and
//! `numbering` it finds in the module above. All are functions over one connection; transactions are the driver's business.

use super::dialect::{self, Conn, Db, Row, Ts};
use super::{DbStore, numbering};

mod admission;
pub(super) mod apply;
mod booking;
mod catalog;
mod filter;
mod guard;
pub(super) mod idempotency;
pub(super) mod inventory;
mod lock;
pub(super) mod outbox;
mod page;
mod plugin;
mod ports;
pub(super) mod rows;
mod tenancy;
pub(super) mod tracker;
pub(super) mod upkeep;
