//! Series: events that belong together, as the nights of one tour. And what can be done with them.

use std::sync::Arc;

use super::venue::in_use;
use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::filter::{Kind, Spec};
use crate::id::SeriesId;
use crate::input::input;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, diff};

input! {
    /// What a client writes of a series.
    WriteSeries,
    /// What changes a series; what is absent stays.
    ChangeSeries {
        /// Its name.
        name: String,
        /// What it is.
        description: String,
    }
}

/// A series of events.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Series {
    /// Its id.
    pub id: SeriesId,
    /// What clients write.
    pub text: WriteSeries,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

/// What series can be listed by.
pub const SPEC: Spec = Spec {
    fields: &[("name", Kind::Text), ("created", Kind::Time), ("modified", Kind::Time)],
    orders: &["created", "modified", "name"],
};

/// The largest page of series.
pub const MAX_PAGE: u32 = 200;

impl WriteSeries {
    /// Checks what clients may write.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("name", &self.name, 1, 255);
        faults.text("description", &self.description, 0, 10_000);
        faults.into_result()
    }
}

impl Snapshot for Series {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("name", self.text.name.as_str()),
            Field::new("description", self.text.description.as_str()),
        ]
    }
}

/// Carries out what is done with series.
#[derive(Clone)]
pub struct AllSeries {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl AllSeries {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Makes a series.
    pub async fn create(&self, ctx: &Ctx, command: WriteSeries) -> Result<Series> {
        let decide = || async {
            command.check()?;
            let (id, text) = (SeriesId::generate(), command.clone());
            let series = Series { id, text, created_at: ctx.now, updated_at: ctx.now, version: 1 };
            let fact = fact(ctx, "series.created", None, &series);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).insert(series.clone()), series))
        };
        self.commands.run(ctx, Operation::SeriesCreate, &command, decide).await
    }

    /// Shows a series.
    pub async fn get(&self, ctx: &Ctx, id: SeriesId) -> Result<Series> {
        ctx.allow(Operation::SeriesGet)?;
        self.found(ctx, id).await
    }

    /// Lists series.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Series>> {
        ctx.allow(Operation::SeriesList)?;
        self.store.all_series(ctx.tenant, page).await
    }

    /// Changes a series.
    pub async fn update(&self, ctx: &Ctx, id: SeriesId, command: ChangeSeries) -> Result<Series> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after = Series { text: command.clone().apply_to(&before.text), ..before.clone() };
            after.text.check()?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, "series.updated", Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::SeriesUpdate, &(id, &command, ctx.if_version), decide).await
    }

    /// Removes a series to which no event belongs.
    pub async fn delete(&self, ctx: &Ctx, id: SeriesId) -> Result<()> {
        let decide = || async {
            let series = self.found(ctx, id).await?;
            ctx.check_version(series.version)?;
            if self.store.has_events(ctx.tenant, ObjectKind::Series, id.0).await? {
                return Err(in_use(
                    "SERIES_IN_USE",
                    "events belong to the series; move or delete them first",
                ));
            }
            let changes = diff(Some(&series), None);
            let fact = NewFact::new(ctx, "series.deleted", object(&series, series.version + 1), changes);
            let changeset = Changeset::new(ctx).guard(Guard::HasNoEvents(ObjectKind::Series, id.0));
            Ok(Decision::change(changeset.fact(fact).delete(series), ()))
        };
        self.commands.run(ctx, Operation::SeriesDelete, &(id, ctx.if_version), decide).await
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
