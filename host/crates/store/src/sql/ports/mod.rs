//! Reading halves of the store's ports, over the queries.

use tessera_core::Result;
use tessera_core::fair::Owner;

use super::super::DbStore;
use super::Db;
use crate::connections::Reader;

/// Runs a query on a reader and returns the reader to the pool.
macro_rules! read {
    ($reader:expr, $query:path $(, $argument:expr)*) => {{
        let mut reader = $reader;
        let result = $query(&mut reader $(, $argument)*).await;
        reader.finish(result)
    }};
}

mod admission;
mod booking;
mod catalog;
mod inventory;
mod outbox;
mod plugin;
mod pricing;
mod tenancy;
mod tracker;

impl DbStore {
    /// Takes a reader for the host's own queries.
    async fn host_reader(&self) -> Result<Reader<Db>> {
        self.read(Owner::Host).await
    }
}
