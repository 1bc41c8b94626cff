//! Queries, written once: this folder is compiled for either driver, with the `dialect`, `numbering` and `statements` of
//! the parent module. Queries are functions over one connection; transactions are left to the driver.

use super::dialect::{self, Conn, Db, Row, Ts};
use super::numbering;

mod admission;
pub(super) mod apply;
mod booking;
mod catalog;
pub(super) mod due;
mod execute;
mod filter;
mod guard;
pub(super) mod idempotency;
pub(super) mod inventory;
mod lock;
pub(super) mod maintenance;
pub(super) mod outbox;
mod page;
mod plugin;
mod ports;
mod pricing;
pub(super) mod rows;
mod table;
mod tenancy;
pub(super) mod tracker;
