//! Facts.

use tessera_core::Change;
use tessera_core::outbox::{Actor, Fact};
use tessera_proto::common::v1 as pb;

use crate::convert::{text, time, value};

/// A fact with the cursor after it.
#[must_use]
pub(crate) fn fact(fact: &Fact, cursor: String) -> pb::Fact {
    let what = &fact.body;
    pb::Fact {
        id: what.id.to_string(),
        cursor,
        r#type: what.fact_type.to_string(),
        at: time(what.at),
        object_kind: what.object.kind.name().to_owned(),
        object_id: what.object.id.clone(),
        object_version: what.object.version,
        project_id: text(what.project),
        actor: Some(actor(&what.actor)),
        transport: what.transport.to_string(),
        request_id: what.request_id.clone(),
        cause_id: text(what.cause),
        release: what.release.clone(),
        changes: what.changes.iter().map(change).collect(),
        event_id: text(what.event),
    }
}

/// The actor of a fact.
#[must_use]
pub(crate) fn actor(actor: &Actor) -> pb::Actor {
    pb::Actor { kind: actor.kind.to_string(), id: actor.id.clone(), user_id: text(actor.user) }
}

fn change(change: &Change) -> pb::Change {
    let encode =
        |value: &tessera_core::Value| Some(value).filter(|value| !value.is_none()).map(value::encode);
    pb::Change { field: change.field.clone(), before: encode(&change.before), after: encode(&change.after) }
}
