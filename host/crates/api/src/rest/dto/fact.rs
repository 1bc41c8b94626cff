//! Facts as JSON.

use serde::Serialize;
use serde_json::Value as Json;
use tessera_core::Change;
use tessera_core::outbox::{Actor, Fact};
use utoipa::ToSchema;

use crate::json;
use crate::rest::dto::text;

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactBody {
    /// Its id.
    pub id: String,
    /// Where a stream goes on after it; empty while it has no place yet.
    pub cursor: String,
    /// What happened: `issue.created`.
    #[serde(rename = "type")]
    pub fact_type: String,
    /// When, by the store's clock.
    pub at: String,
    /// To what kind of object.
    pub object_kind: String,
    /// To which.
    pub object_id: String,
    /// The version that it made; what orders a history.
    pub object_version: u64,
    /// In which project.
    pub project_id: Option<String>,
    /// For which event.
    pub event_id: Option<String>,
    /// Who did it.
    pub actor: ActorBody,
    /// By what way: `rest`, `grpc` or `internal`.
    pub transport: String,
    /// In which request.
    pub request_id: String,
    /// The fact that led to it.
    pub cause_id: Option<String>,
    /// The plugin's release whose effect it is: `support-sla@1.2.0`; absent: no plugin's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// What became of which field.
    pub changes: Vec<ChangeBody>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActorBody {
    /// `key`, `system` or `anonymous`.
    pub kind: String,
    /// The key's id; empty for the others.
    pub id: String,
    /// The user whom the key stands for.
    pub user_id: Option<String>,
}

/// What became of one field.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeBody {
    /// The field.
    pub field: String,
    /// What it held.
    pub before: Json,
    /// What it holds now.
    pub after: Json,
}

/// A page of facts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactsPage {
    /// The facts.
    pub facts: Vec<FactBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

impl FactBody {
    /// A fact with the cursor after it.
    #[must_use]
    pub fn new(fact: &Fact, cursor: String) -> Self {
        let what = &fact.body;
        Self {
            id: what.id.to_string(),
            cursor,
            fact_type: what.fact_type.to_string(),
            at: what.at.to_string(),
            object_kind: what.object.kind.name().to_owned(),
            object_id: what.object.id.clone(),
            object_version: what.object.version,
            project_id: text(what.project),
            event_id: text(what.event),
            actor: (&what.actor).into(),
            transport: what.transport.to_string(),
            request_id: what.request_id.clone(),
            cause_id: text(what.cause),
            release: what.release.clone(),
            changes: what.changes.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Actor> for ActorBody {
    fn from(actor: &Actor) -> Self {
        Self { kind: actor.kind.to_string(), id: actor.id.clone(), user_id: text(actor.user) }
    }
}

impl From<&Change> for ChangeBody {
    fn from(change: &Change) -> Self {
        Self {
            field: change.field.clone(),
            before: json::encode(&change.before),
            after: json::encode(&change.after),
        }
    }
}
