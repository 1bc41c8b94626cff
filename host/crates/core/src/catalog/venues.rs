//! The service of venues.

use std::sync::Arc;

use super::venue::{ChangeVenue, Venue, WriteVenue};
use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::VenueId;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::value::diff;

/// Creates, reads, changes and deletes venues.
#[derive(Clone)]
pub struct Venues {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Venues {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Creates a venue.
    pub async fn create(&self, ctx: &Ctx, command: WriteVenue) -> Result<Venue> {
        let decide = || async {
            command.check()?;
            let (id, attributes) = (VenueId::generate(), command.clone());
            let venue = Venue { id, attributes, created_at: ctx.now, updated_at: ctx.now, version: 1 };
            let fact = fact(ctx, "venue.created", None, &venue);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).insert(venue.clone()), venue))
        };
        self.commands.run(ctx, Operation::VenueCreate, &command, decide).await
    }

    /// Returns a venue.
    pub async fn get(&self, ctx: &Ctx, id: VenueId) -> Result<Venue> {
        ctx.allow(Operation::VenueGet)?;
        self.found(ctx, id).await
    }

    /// Returns a page of venues.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Venue>> {
        ctx.allow(Operation::VenueList)?;
        self.store.venues(ctx.tenant, page).await
    }

    /// Changes a venue.
    pub async fn update(&self, ctx: &Ctx, id: VenueId, command: ChangeVenue) -> Result<Venue> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after =
                Venue { attributes: command.clone().apply_to(&before.attributes), ..before.clone() };
            after.attributes.check()?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, "venue.updated", Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::VenueUpdate, &(id, &command, &ctx.if_version), decide).await
    }

    /// Deletes a venue without events.
    pub async fn delete(&self, ctx: &Ctx, id: VenueId) -> Result<()> {
        let decide = || async {
            let venue = self.found(ctx, id).await?;
            ctx.check_version(venue.version)?;
            if self.store.has_events(ctx.tenant, ObjectKind::Venue, id.0).await? {
                let message = "events are held at the venue; move or delete them first";
                return Err(Error::new(ErrorKind::Precondition, "VENUE_IN_USE", message));
            }
            let changes = diff(Some(&venue), None);
            let fact = NewFact::new(ctx, "venue.deleted", object(&venue, venue.version + 1), changes);
            let changeset = Changeset::new(ctx).guard(Guard::HasNoEvents(ObjectKind::Venue, id.0));
            Ok(Decision::change(changeset.fact(fact).delete(venue), ()))
        };
        self.commands.run(ctx, Operation::VenueDelete, &(id, &ctx.if_version), decide).await
    }

    async fn found(&self, ctx: &Ctx, id: VenueId) -> Result<Venue> {
        self.store.venue(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("venue"))
    }
}

fn object(venue: &Venue, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Venue, id: venue.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Venue>, after: &Venue) -> NewFact {
    NewFact::new(ctx, fact_type, object(after, after.version), diff(before, Some(after)))
}
