//! The service of series.

use std::sync::Arc;

use super::series::{ChangeSeries, Series, WriteSeries};
use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::SeriesId;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::value::diff;

/// Creates, reads, changes and deletes series.
#[derive(Clone)]
pub struct SeriesService {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl SeriesService {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Creates a series.
    pub async fn create(&self, ctx: &Ctx, command: WriteSeries) -> Result<Series> {
        let decide = || async {
            command.check()?;
            let (id, attributes) = (SeriesId::generate(), command.clone());
            let series = Series { id, attributes, created_at: ctx.now, updated_at: ctx.now, version: 1 };
            let fact = fact(ctx, "series.created", None, &series);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).insert(series.clone()), series))
        };
        self.commands.run(ctx, Operation::SeriesCreate, &command, decide).await
    }

    /// Returns a series.
    pub async fn get(&self, ctx: &Ctx, id: SeriesId) -> Result<Series> {
        ctx.allow(Operation::SeriesGet)?;
        self.found(ctx, id).await
    }

    /// Returns a page of series.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Series>> {
        ctx.allow(Operation::SeriesList)?;
        self.store.all_series(ctx.tenant, page).await
    }

    /// Changes a series.
    pub async fn update(&self, ctx: &Ctx, id: SeriesId, command: ChangeSeries) -> Result<Series> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after =
                Series { attributes: command.clone().apply_to(&before.attributes), ..before.clone() };
            after.attributes.check()?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, "series.updated", Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::SeriesUpdate, &(id, &command, &ctx.if_version), decide).await
    }

    /// Deletes a series without events.
    pub async fn delete(&self, ctx: &Ctx, id: SeriesId) -> Result<()> {
        let decide = || async {
            let series = self.found(ctx, id).await?;
            ctx.check_version(series.version)?;
            if self.store.has_events(ctx.tenant, ObjectKind::Series, id.0).await? {
                let message = "events belong to the series; move or delete them first";
                return Err(Error::new(ErrorKind::Precondition, "SERIES_IN_USE", message));
            }
            let changes = diff(Some(&series), None);
            let fact = NewFact::new(ctx, "series.deleted", object(&series, series.version + 1), changes);
            let changeset = Changeset::new(ctx).guard(Guard::HasNoEvents(ObjectKind::Series, id.0));
            Ok(Decision::change(changeset.fact(fact).delete(series), ()))
        };
        self.commands.run(ctx, Operation::SeriesDelete, &(id, &ctx.if_version), decide).await
    }

    async fn found(&self, ctx: &Ctx, id: SeriesId) -> Result<Series> {
        self.store.series(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("series"))
    }
}

fn object(series: &Series, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Series, id: series.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Series>, after: &Series) -> NewFact {
    NewFact::new(ctx, fact_type, object(after, after.version), diff(before, Some(after)))
}
