//! The suite of tests that every store passes: each runs on a SQLite file, in memory and on PostgreSQL,
//! whose server `TESSERA_TEST_POSTGRES` names.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here is a test that failed")]

/// Runs each of these tests on every store.
macro_rules! on_every_store {
    ($($name:ident,)*) => {$(
        mod $name {
            use crate::world::{Kind, run};

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                run(Kind::Sqlite, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn memory() {
                run(Kind::Memory, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                run(Kind::Postgres, super::$name).await;
            }
        }
    )*};
}

mod admission;
mod bookings;
mod box_office;
mod commit;
mod counts;
mod facts;
mod fairness;
mod filters;
mod generations;
mod hosts;
mod idempotency;
mod installations;
mod isolation;
mod lost;
#[path = "../../../core/tests/model/mod.rs"]
mod model;
mod numbers;
mod pages;
mod parts;
mod purge;
mod records;
mod releases;
mod remembered;
mod reservations;
mod round_trips;
mod timers;
mod trials;
mod upkeep;
mod world;
