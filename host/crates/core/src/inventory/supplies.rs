//! The service of supply: pools, locks and seats. Each command is one changeset that locks the pool itself, since these
//! commands are too rare to wait in the event's queue.

use std::sync::Arc;

use crate::catalog::TicketType;
use crate::command::Commands;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{EventId, PoolId, TicketTypeId};
use crate::inventory::Pool;
use crate::ports::Store;
use crate::pricing::AccessCodes;

/// Creates, reads, changes and deletes pools, locks and seats.
#[derive(Clone)]
pub struct Supplies {
    pub(super) store: Arc<dyn Store>,
    pub(super) commands: Commands,
    pub(super) access_codes: AccessCodes,
}

impl Supplies {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, access_codes: AccessCodes) -> Self {
        Self { store, commands, access_codes }
    }

    pub(super) async fn check_event(&self, ctx: &Ctx, id: EventId) -> Result<()> {
        self.store.event(ctx.tenant, id).await?.map(drop).ok_or_else(|| Error::not_found("event"))
    }

    pub(super) async fn pool(&self, ctx: &Ctx, event: EventId, id: PoolId) -> Result<Pool> {
        self.store.pool(ctx.tenant, event, id).await?.ok_or_else(|| Error::not_found("pool"))
    }

    pub(super) async fn ticket_type(&self, ctx: &Ctx, id: TicketTypeId) -> Result<TicketType> {
        self.store.ticket_type(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("ticket-type"))
    }
}
