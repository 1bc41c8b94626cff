//! Facts.

use tessera_core::Change;
use tessera_core::outbox::{Actor, Fact};
use tessera_proto::common::v1 as pb;

use crate::convert::{text, time, value};

/// Encodes a fact with the cursor after it.
#[must_use]
pub(crate) fn fact(fact: &Fact, cursor: String) -> pb::Fact {
    let body = &fact.body;
    pb::Fact {
        id: body.id.to_string(),
        cursor,
        r#type: body.fact_type.to_string(),
        at: time(body.at),
        object_kind: body.object.kind.name().to_owned(),
        object_id: body.object.id.clone(),
        object_version: body.object.version,
        project_id: text(body.project),
        actor: Some(actor(&body.actor)),
        transport: body.transport.to_string(),
        request_id: body.request_id.clone(),
        cause_id: text(body.cause),
        release: body.release.clone(),
        changes: body.changes.iter().map(change).collect(),
        event_id: text(body.event),
    }
}

/// Encodes the actor of a fact.
#[must_use]
pub(crate) fn actor(actor: &Actor) -> pb::Actor {
    pb::Actor { kind: actor.kind.to_string(), id: actor.id.clone(), user_id: text(actor.user) }
}

fn change(change: &Change) -> pb::Change {
    let encode =
        |value: &tessera_core::Value| Some(value).filter(|value| !value.is_none()).map(value::encode);
    pb::Change { field: change.field.clone(), before: encode(&change.before), after: encode(&change.after) }
}
