//! Native tests of a plugin with `cargo test`: the test provides settings, entities and the time.

use std::cell::RefCell;

use crate::lookup::LookupError;
use crate::pricing::{Basket, Decision, Line};
use crate::workflow::{Effects, Machine};
use crate::{
    Actor, Change, Context, Entity, Field, Level, Pricing, Request, Timestamp, Validation, Value, Verdict,
    Violation, Workflow,
};

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::default());
}

#[derive(Default)]
struct Host {
    settings: String,
    entities: Vec<Entity>,
    log: Vec<(Level, String)>,
}

/// Calls a plugin as the host does. It does not enforce limits; `tessera plugin test` does.
#[derive(Clone, Debug)]
pub struct Harness {
    settings: String,
    entities: Vec<Entity>,
    context: Context,
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

impl Harness {
    /// Makes a harness without settings and entities, at 2026-01-01T00:00:00Z, with an actor of the role `agent`.
    #[must_use]
    pub fn new() -> Self {
        let context = Context {
            tenant: "tenant".into(),
            invocation: "test".into(),
            now: 1_767_225_600_000,
            actor: Actor { id: "user".into(), roles: vec!["agent".into()] },
            dry_run: false,
            cause: Vec::new(),
            attributes: Vec::new(),
        };
        Self { settings: String::new(), entities: Vec::new(), context }
    }

    /// Sets the settings, as JSON.
    #[must_use]
    pub fn settings(mut self, json: &str) -> Self {
        json.clone_into(&mut self.settings);
        self
    }

    /// Adds an entity for look-ups. `find` ignores its filter and returns all entities of the kind.
    #[must_use]
    pub fn entity(mut self, entity: Entity) -> Self {
        self.entities.push(entity);
        self
    }

    /// Sets the time.
    #[must_use]
    pub fn now(mut self, now: Timestamp) -> Self {
        self.context.now = now;
        self
    }

    /// Sets the roles of the actor.
    #[must_use]
    pub fn roles(mut self, roles: &[&str]) -> Self {
        self.context.actor.roles = roles.iter().map(|&role| role.to_owned()).collect();
        self
    }

    /// Sets the installations whose effects led to the call, first to last.
    #[must_use]
    pub fn caused_by(mut self, installations: &[&str]) -> Self {
        self.context.cause = installations.iter().map(|&id| id.to_owned()).collect();
        self
    }

    /// Returns the context of the calls.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    fn call<T>(&self, call: impl FnOnce(&Context) -> T) -> T {
        HOST.with_borrow_mut(|host| {
            *host =
                Host { settings: self.settings.clone(), entities: self.entities.clone(), log: Vec::new() };
        });
        call(&self.context)
    }

    /// Calls `validate`.
    pub fn validate<T: Validation>(&self, request: &Request) -> Verdict {
        self.call(|context| T::validate(context, request))
    }

    /// Calls `machine` for issues.
    #[must_use]
    pub fn machine<T: Workflow>(&self) -> Option<Machine> {
        self.call(|_| T::machine("issue"))
    }

    /// Calls `guard` for one transition.
    pub fn guard<T: Workflow>(&self, issue: &Entity, transition: &str) -> Verdict {
        self.call(|context| T::guard(context, issue, transition))
    }

    /// Calls `on_change` with the changes between the two entities.
    pub fn on_change<T: Workflow>(&self, issue: &Entity, before: Option<&Entity>) -> Effects {
        let changes = changes(before, issue);
        self.call(|context| T::on_change(context, issue, before, &changes))
    }

    /// Calls `on_timer`.
    pub fn on_timer<T: Workflow>(&self, issue: &Entity, timer: &str) -> Effects {
        self.call(|context| T::on_timer(context, issue, timer))
    }

    /// Calls `on_command`.
    pub fn on_command<T: Workflow>(&self, issue: &Entity, command: &str, input: &[Field]) -> Effects {
        self.call(|context| T::on_command(context, issue, command, input))
    }

    /// Calls `quote`.
    pub fn quote<T: Pricing>(&self, basket: &Basket) -> Result<Decision, Vec<Violation>> {
        self.call(|context| T::quote(context, basket))
    }

    /// Returns the log of the last call on this thread.
    #[must_use]
    pub fn log(&self) -> Vec<(Level, String)> {
        HOST.with_borrow(|host| host.log.clone())
    }
}

/// Makes an issue with text fields.
#[must_use]
pub fn issue<const N: usize>(id: &str, fields: [(&str, &str); N]) -> Entity {
    let fields = fields.into_iter().map(|(name, text)| Field::new(name, text)).collect();
    Entity { kind: "issue".into(), id: id.to_owned(), version: 1, fields }
}

/// Returns the next version of an entity, with another value of a field. `Value::None` removes the field.
#[must_use]
pub fn with_field(entity: &Entity, name: &str, value: impl Into<Value>) -> Entity {
    let mut changed = entity.clone();
    changed.fields.retain(|field| field.name != name);
    let value = value.into();
    if value != Value::None {
        changed.fields.push(Field { name: name.to_owned(), value });
    }
    changed.version += 1;
    changed
}

/// Makes the request to create an entity.
#[must_use]
pub fn create(subject: Entity) -> Request {
    let changes = changes(None, &subject);
    Request { operation: "create".into(), subject, before: None, changes }
}

/// Makes the request to update an entity.
#[must_use]
pub fn update(before: Entity, subject: Entity) -> Request {
    let changes = changes(Some(&before), &subject);
    Request { operation: "update".into(), subject, before: Some(before), changes }
}

/// Makes a line of tickets with a unit price in minor units; as many tickets are available.
#[must_use]
pub fn line(quantity: u32, unit_price: i64) -> Line {
    Line {
        ticket_type: "ticket-type".into(),
        name: "Seat".into(),
        quantity,
        unit_price,
        available: quantity,
        capacity: quantity,
        attributes: Vec::new(),
    }
}

/// Makes a basket in EUR for an event in UTC, without a start, codes, a buyer and earlier adjustments.
#[must_use]
pub fn basket<const N: usize>(lines: [Line; N]) -> Basket {
    Basket {
        event: Vec::new(),
        starts_at: None,
        offset_now: 0,
        offset_start: 0,
        currency: "EUR".into(),
        currency_exponent: 2,
        lines: lines.into(),
        codes: Vec::new(),
        channel: "web".into(),
        buyer: Vec::new(),
        applied: Vec::new(),
    }
}

fn changes(before: Option<&Entity>, after: &Entity) -> Vec<Change> {
    let value = |entity: Option<&Entity>, name: &str| {
        entity.and_then(|entity| entity.get(name)).cloned().unwrap_or(Value::None)
    };
    let old = before.into_iter().flat_map(|entity| &entity.fields);
    let mut names: Vec<_> = old.chain(&after.fields).map(|field| field.name.clone()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| Change { before: value(before, &name), after: value(Some(after), &name), field: name })
        .filter(|change| change.before != change.after)
        .collect()
}

pub(crate) fn log(level: Level, message: &str) {
    HOST.with_borrow_mut(|host| host.log.push((level, message.to_owned())));
}

pub(crate) fn settings() -> String {
    HOST.with_borrow(|host| host.settings.clone())
}

pub(crate) fn get(kind: &str, id: &str) -> Result<Option<Entity>, LookupError> {
    HOST.with_borrow(|host| {
        Ok(host.entities.iter().find(|entity| entity.kind == kind && entity.id == id).cloned())
    })
}

pub(crate) fn find(kind: &str, _filter: &str, limit: u32) -> Result<Vec<Entity>, LookupError> {
    HOST.with_borrow(|host| {
        let found = host.entities.iter().filter(|entity| entity.kind == kind);
        Ok(found.take(limit as usize).cloned().collect())
    })
}
