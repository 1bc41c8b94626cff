//! Suite of tests that every store passes: on a SQLite file, in memory, and on the PostgreSQL server of
//! `TESSERA_TEST_POSTGRES`.

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
mod builders;
mod codes;
mod commit;
mod counts;
mod event_cache;
mod facts;
mod fairness;
mod filters;
mod generations;
mod hosts;
mod idempotency;
mod installations;
mod isolation;
mod lost;
mod maintenance;
#[path = "../../../core/tests/model/mod.rs"]
mod model;
mod numbers;
mod pages;
mod parts;
mod pricing;
mod promotions;
mod purge;
mod records;
mod releases;
mod reservations;
mod round_trips;
mod timers;
mod trials;
mod world;
