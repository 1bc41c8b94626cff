//! State migration: moves issues out of states that a new state machine lacks, in slices. Until then, changes of
//! an issue start from the state that its own is mapped to: see `ActiveInstallations::migrated_state`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::changeset::{Changeset, Committed};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::filter::{Filter, Op, Operand, Order, Term};
use crate::outbox::Actor;
use crate::page::{Keyset, Page, PageRequest};
use crate::plugin::{Installation, Scope};
use crate::ports::Store;
use crate::tracker::Issue;

/// The number of issues that one transaction migrates.
const SLICE: u32 = 200;

/// Migrates the issues in mapped states, until none is left or the deadline has passed.
pub(super) async fn apply(store: &Arc<dyn Store>, ctx: &Ctx, installation: &Installation) -> Result<()> {
    if !installation.enabled {
        return Ok(());
    }
    for (kind, machine) in &installation.machines {
        let lacking = installation.state_map.iter().filter(|(old, _)| machine.state(old).is_none());
        for (old, new) in lacking {
            let mut after = None;
            while !ctx.deadline_passed() {
                match migrate_slice(&**store, ctx, installation, (kind, old, new), after.clone()).await? {
                    Slice::Retry => {}
                    Slice::Done(Some(next)) => after = Some(next),
                    Slice::Done(None) => break,
                }
            }
        }
    }
    Ok(())
}

/// The result of one slice.
enum Slice {
    /// An issue was changed concurrently: the slice is repeated.
    Retry,
    /// It is done; the begin of the next slice, if there is one.
    Done(Option<Keyset>),
}

/// Migrates one slice.
async fn migrate_slice(
    store: &dyn Store,
    ctx: &Ctx,
    installation: &Installation,
    (kind, old, new): (&str, &str, &str),
    after: Option<Keyset>,
) -> Result<Slice> {
    let term = |field, value| Term { negated: false, field, name: None, op: Op::OneOf, values: vec![value] };
    let mut terms =
        vec![term("status", Operand::Text(old.to_owned())), term("kind", Operand::Text(kind.to_owned()))];
    if let Scope::Project(project) = installation.scope {
        terms.push(term("project", Operand::Id(project.0)));
    }
    let order = Order { field: "created", descending: false };
    let page = PageRequest { size: SLICE, after, filter: Filter { terms }, order };
    let Page { items: issues, next } = store.issues(ctx.tenant, &page).await?;
    let mut changeset = Changeset::new(ctx);
    let active = store.active_installations(ctx.tenant).await?.sorted();
    // A later change of the installation runs a migration of its own.
    let same = |present: &Arc<Installation>| {
        (&present.machines, &present.state_map) == (&installation.machines, &installation.state_map)
    };
    if !active.get(installation.id).is_some_and(same) {
        return Ok(Slice::Done(None));
    }
    let projects: BTreeSet<_> = issues.iter().map(|issue| issue.project).collect();
    let mut affected = Vec::new();
    for id in projects {
        let Some(project) = store.project(ctx.tenant, id).await? else { continue };
        // Another installation may own the state machine of the project.
        let owner = active.machine(kind, id).map(|(owner, _)| owner.id);
        if owner == Some(installation.id) {
            changeset = changeset.expect_machine(&project);
            affected.push(id);
        }
    }
    for before in issues.iter().filter(|issue| affected.contains(&issue.project)) {
        let after = Issue { status: new.to_owned(), ..before.touched(ctx) };
        let mut fact = Issue::fact(ctx, "issue.updated", Some(before), &after);
        fact.actor = Actor { kind: "plugin".into(), id: installation.id.to_string(), user: None };
        fact.release = Some(installation.label());
        changeset = changeset.fact(fact).update(after);
    }
    if changeset.is_empty() {
        return Ok(Slice::Done(next));
    }
    match store.commit(changeset).await {
        Ok(Committed::Stored | Committed::Replayed(_)) => Ok(Slice::Done(next)),
        Err(error) if error.is_stale() => Ok(Slice::Retry),
        Err(error) => Err(error),
    }
}
