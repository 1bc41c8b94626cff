//! Tries a plugin natively, in `cargo test`: settings and look-ups are given, the log is kept.

use std::cell::RefCell;

use crate::lookup::LookupError;
use crate::pricing::{Basket, Decision};
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

/// Calls plugins as the host would.
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
    /// No settings, nothing to look up, 2026-01-01, an agent.
    #[must_use]
    pub fn new() -> Self {
        let context = Context {
            tenant: "tenant".into(),
            invocation: "test".into(),
            now: 1_767_225_600_000,
            actor: Actor { id: "someone".into(), roles: vec!["agent".into()] },
            dry_run: false,
            cause: Vec::new(),
            attributes: Vec::new(),
        };
        Self { settings: String::new(), entities: Vec::new(), context }
    }

    /// With settings, as JSON.
    #[must_use]
    pub fn settings(mut self, json: &str) -> Self {
        json.clone_into(&mut self.settings);
        self
    }

    /// With an entity that look-ups find; `find` answers all of its kind, whatever the filter.
    #[must_use]
    pub fn with(mut self, entity: Entity) -> Self {
        self.entities.push(entity);
        self
    }

    /// At another time.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.context.now = now;
        self
    }

    /// With an actor who has these roles.
    #[must_use]
    pub fn roles(mut self, roles: &[&str]) -> Self {
        self.context.actor.roles = roles.iter().map(|&role| role.to_owned()).collect();
        self
    }

    /// As an effect of these installations, first to last.
    #[must_use]
    pub fn caused_by(mut self, installations: &[&str]) -> Self {
        self.context.cause = installations.iter().map(|&id| id.to_owned()).collect();
        self
    }

    /// What the plugin is told of the circumstances.
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

    /// Asks a validation.
    pub fn validate<T: Validation>(&self, request: &Request) -> Verdict {
        self.call(|context| T::validate(context, request))
    }

    /// Asks for a machine.
    #[must_use]
    pub fn machine<T: Workflow>(&self) -> Option<Machine> {
        self.call(|_| T::machine("issue"))
    }

    /// Asks whether a move may be made.
    pub fn guard<T: Workflow>(&self, issue: &Entity, transition: &str) -> Verdict {
        self.call(|context| T::guard(context, issue, transition))
    }

    /// Tells a workflow of a change.
    pub fn on_change<T: Workflow>(&self, issue: &Entity, before: Option<&Entity>) -> Effects {
        let changes = changes(before, issue);
        self.call(|context| T::on_change(context, issue, before, &changes))
    }

    /// Fires a timer.
    pub fn on_timer<T: Workflow>(&self, issue: &Entity, timer: &str) -> Effects {
        self.call(|context| T::on_timer(context, issue, timer))
    }

    /// Calls a command.
    pub fn on_command<T: Workflow>(&self, issue: &Entity, command: &str, input: &[Field]) -> Effects {
        self.call(|context| T::on_command(context, issue, command, input))
    }

    /// Asks for a price.
    pub fn quote<T: Pricing>(&self, basket: &Basket) -> Result<Decision, Vec<Violation>> {
        self.call(|context| T::quote(context, basket))
    }

    /// What the last call on this thread logged.
    #[must_use]
    pub fn log(&self) -> Vec<(Level, String)> {
        HOST.with_borrow(|host| host.log.clone())
    }
}

/// An issue with text fields.
#[must_use]
pub fn issue<const N: usize>(id: &str, fields: [(&str, &str); N]) -> Entity {
    let fields = fields.into_iter().map(|(name, text)| Field::new(name, text)).collect();
    Entity { kind: "issue".into(), id: id.to_owned(), version: 1, fields }
}

/// The same entity with a field of another value; `Value::None` takes it away.
#[must_use]
pub fn with(entity: &Entity, name: &str, value: impl Into<Value>) -> Entity {
    let mut changed = entity.clone();
    changed.fields.retain(|field| field.name != name);
    let value = value.into();
    if value != Value::None {
        changed.fields.push(Field { name: name.to_owned(), value });
    }
    changed.version += 1;
    changed
}

/// The request to make something.
#[must_use]
pub fn create(subject: Entity) -> Request {
    let changes = changes(None, &subject);
    Request { operation: "create".into(), subject, before: None, changes }
}

/// The request to change something.
#[must_use]
pub fn update(before: Entity, subject: Entity) -> Request {
    let changes = changes(Some(&before), &subject);
    Request { operation: "update".into(), subject, before: Some(before), changes }
}

fn changes(before: Option<&Entity>, after: &Entity) -> Vec<Change> {
    let held = |entity: Option<&Entity>, name: &str| {
        entity.and_then(|entity| entity.get(name)).cloned().unwrap_or(Value::None)
    };
    let olds = before.into_iter().flat_map(|entity| &entity.fields);
    let mut names: Vec<_> = olds.chain(&after.fields).map(|field| field.name.clone()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| Change { before: held(before, &name), after: held(Some(after), &name), field: name })
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
