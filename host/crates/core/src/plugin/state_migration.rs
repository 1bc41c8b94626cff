//! Moves issues out of states that a new machine lacks, in slices. An issue that is not moved yet already
//! goes on from the state that it is mapped to: see [`ActiveInstallations::migrated_state`].

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

/// How many issues are moved by one transaction.
const SLICE: u32 = 200;

/// Moves what is in a mapped state, until nothing is left or nobody waits any more.
pub(super) async fn apply(store: &Arc<dyn Store>, ctx: &Ctx, installation: &Installation) -> Result<()> {
    if !installation.enabled {
        return Ok(());
    }
    for (kind, machine) in &installation.machines {
        let lacking = installation.state_map.iter().filter(|(old, _)| machine.state(old).is_none());
        for (old, new) in lacking {
            let mut after = None;
            while !ctx.is_late() {
                match slice(&**store, ctx, installation, (kind, old, new), after.clone()).await? {
                    Slice::Again => {}
                    Slice::Done(Some(next)) => after = Some(next),
                    Slice::Done(None) => break,
                }
            }
        }
    }
    Ok(())
}

/// How a slice ended.
enum Slice {
    /// Somebody else changed an issue at the same moment: it is looked at again.
    Again,
    /// It is done; where the next begins, if there is one.
    Done(Option<Keyset>),
}

/// Moves one slice.
async fn slice(
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
    let Page { items: found, next } = store.issues(ctx.tenant, &page).await?;
    let mut changeset = Changeset::new(ctx);
    let active = store.active_installations(ctx.tenant).await?.sorted();
    // A later change has maps of its own, and applies them itself.
    let same = |held: &Arc<Installation>| {
        (&held.machines, &held.state_map) == (&installation.machines, &installation.state_map)
    };
    if !active.get(installation.id).is_some_and(same) {
        return Ok(Slice::Done(None));
    }
    let projects: BTreeSet<_> = found.iter().map(|issue| issue.project).collect();
    let mut theirs = Vec::new();
    for id in projects {
        let Some(project) = store.project(ctx.tenant, id).await? else { continue };
        // A project with a machine of its own has nothing to do with this one.
        let owner = active.machine(kind, id).map(|(owner, _)| owner.id);
        if owner == Some(installation.id) {
            changeset = changeset.expect_machine(&project);
            theirs.push(id);
        }
    }
    for before in found.iter().filter(|issue| theirs.contains(&issue.project)) {
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
        Err(error) if error.is_stale() => Ok(Slice::Again),
        Err(error) => Err(error),
    }
}
