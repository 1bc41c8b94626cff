//! `tessera:plugin@0.1.0`: what a call of this version is, from question to answer.

mod convert;
mod generated;

use tessera_core::plugin::{Ask, LookupAsk, LookupError, Reply};
use wasmtime::component::{Component, HasSelf, Instance, InstancePre, Linker};
use wasmtime::{Result, Store};

use crate::bindings::v0_1::generated::exports::tessera::plugin as exports;
use crate::bindings::v0_1::generated::tessera::plugin as imports;
use crate::bindings::{Answer, Broken, Misfit};
use crate::state::Guest;

/// How the functions of each hook look.
const PRICING: &str = "quote: func(context, request) -> result<decision, list<violation>>";
const VALIDATION: &str = "validate: func(context, request) -> result<_, list<violation>>";
const WORKFLOW: &str = "describe-machine: func(string) -> option<machine>; \
    describe-commands: func(string) -> list<command>; \
    guard: func(context, entity, list<string>) -> list<result<_, list<violation>>>; \
    on-change: func(context, entity, option<entity>, list<change>) -> result<list<effect>, list<violation>>; \
    on-timer: func(context, entity, string) -> result<list<effect>, list<violation>>; \
    on-command: func(context, entity, string, list<field>) -> result<list<effect>, list<violation>>";

/// The interfaces that a component of this version exports, found once for all calls.
pub(crate) struct Exports {
    manifest: exports::manifest::GuestIndices,
    pricing: Option<exports::pricing::GuestIndices>,
    validation: Option<exports::validation::GuestIndices>,
    workflow: Option<exports::workflow::GuestIndices>,
}

/// Gives guests what the contract imports.
pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    imports::types::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    imports::host::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    imports::lookup::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

impl Exports {
    /// Finds a component's exports; an interface that is there must be whole.
    pub(crate) fn find(pre: &InstancePre<Guest>) -> Result<Self> {
        let component: &Component = pre.component();
        let has = |name: &str| {
            let name = crate::bindings::Contract::V0_1.interface(name);
            component.get_export_index(None, &name).is_some()
        };
        Ok(Self {
            manifest: exports::manifest::GuestIndices::new(pre)?,
            pricing: has("pricing").then(|| exports::pricing::GuestIndices::new(pre)).transpose()?,
            validation: has("validation").then(|| exports::validation::GuestIndices::new(pre)).transpose()?,
            workflow: has("workflow").then(|| exports::workflow::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// Refuses exports whose types are not the contract's; answers the interface that does not fit, and how its
    /// functions should look.
    pub(crate) fn check(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
    ) -> std::result::Result<(), Misfit> {
        let misfit = |name: &'static str, functions| move |_: wasmtime::Error| (name, functions);
        let manifest = self.manifest.load(&mut *store, instance).map(drop);
        manifest.map_err(misfit("manifest", "describe: func() -> info"))?;
        if let Some(indices) = &self.pricing {
            let loaded = indices.load(&mut *store, instance).map(drop);
            loaded.map_err(misfit("pricing", PRICING))?;
        }
        if let Some(indices) = &self.validation {
            let loaded = indices.load(&mut *store, instance).map(drop);
            loaded.map_err(misfit("validation", VALIDATION))?;
        }
        if let Some(indices) = &self.workflow {
            let loaded = indices.load(&mut *store, instance).map(drop);
            loaded.map_err(misfit("workflow", WORKFLOW))?;
        }
        Ok(())
    }

    /// Puts a question to an instance.
    pub(crate) async fn call(&self, store: &mut Store<Guest>, instance: &Instance, ask: Ask) -> Answer {
        match ask {
            Ask::Describe => {
                let guest = self.manifest.load(&mut *store, instance)?;
                Ok(convert::manifest(guest.call_describe(store).await?).map(Reply::Manifest))
            }
            Ask::Validate(context, request) => {
                let Some(indices) = &self.validation else { return Ok(Err(absent("validation"))) };
                let guest = indices.load(&mut *store, instance)?;
                let (context, request) = (convert::context(context), convert::validation(request));
                let said = guest.call_validate(store, &context, &request).await?;
                Ok(said.map_or_else(convert::refusals, |()| Ok(Vec::new())).map(Reply::Verdict))
            }
            Ask::Quote(context, basket) => {
                let Some(indices) = &self.pricing else { return Ok(Err(absent("pricing"))) };
                let guest = indices.load(&mut *store, instance)?;
                let lines = basket.lines.len();
                let (context, request) = (convert::context(context), convert::basket(basket));
                let said = guest.call_quote(store, &context, &request).await?;
                Ok(convert::quote(said, lines).map(Reply::Quote))
            }
            Ask::DescribeMachine(_)
            | Ask::DescribeCommands(_)
            | Ask::Guard(..)
            | Ask::OnChange(..)
            | Ask::OnTimer(..)
            | Ask::OnCommand(..) => self.call_workflow(store, instance, ask).await,
        }
    }

    async fn call_workflow(&self, store: &mut Store<Guest>, instance: &Instance, ask: Ask) -> Answer {
        let Some(indices) = &self.workflow else { return Ok(Err(absent("workflow"))) };
        let guest = indices.load(&mut *store, instance)?;
        let said = match ask {
            Ask::DescribeMachine(kind) => {
                let said = guest.call_describe_machine(store, &kind).await?;
                return Ok(said.map(convert::machine).transpose().map(Reply::Machine));
            }
            Ask::DescribeCommands(kind) => {
                let said = guest.call_describe_commands(store, &kind).await?;
                return Ok(Ok(Reply::Commands(said.into_iter().map(convert::command).collect())));
            }
            Ask::Guard(context, issue, moves) => {
                let (context, issue) = (convert::context(context), convert::entity(issue));
                let said = guest.call_guard(store, &context, &issue, &moves).await?;
                return Ok(convert::guard(said, moves.len()).map(Reply::Guard));
            }
            Ask::OnChange(context, issue, before, changes) => {
                let (context, issue) = (convert::context(context), convert::entity(issue));
                let before = before.map(convert::entity);
                let changes: Vec<_> = changes.into_iter().map(convert::change).collect();
                guest.call_on_change(store, &context, &issue, before.as_ref(), &changes).await?
            }
            Ask::OnTimer(context, issue, timer) => {
                let (context, issue) = (convert::context(context), convert::entity(issue));
                guest.call_on_timer(store, &context, &issue, &timer).await?
            }
            Ask::OnCommand(context, issue, command, input) => {
                let (context, issue) = (convert::context(context), convert::entity(issue));
                let input: Vec<_> = input.into_iter().map(convert::field).collect();
                guest.call_on_command(store, &context, &issue, &command, &input).await?
            }
            Ask::Describe | Ask::Validate(..) | Ask::Quote(..) => return Ok(Err(absent("workflow"))),
        };
        Ok(convert::effects(said).map(Reply::Effects))
    }
}

fn absent(hook: &str) -> Broken {
    Broken(format!("the component does not export the hook {hook}"))
}

impl imports::types::Host for Guest {}

impl imports::host::Host for Guest {
    fn log(&mut self, level: imports::host::Level, message: String) -> Result<()> {
        self.note(convert::level(level), message);
        Ok(())
    }

    fn settings(&mut self) -> Result<String> {
        Ok(self.settings_json().to_owned())
    }
}

impl imports::lookup::Host for Guest {
    async fn get(
        &mut self,
        kind: String,
        id: String,
    ) -> Result<std::result::Result<Option<imports::types::Entity>, imports::lookup::LookupError>> {
        let found = self.look_up(LookupAsk::Get(kind, id)).await;
        Ok(found.map(|found| found.into_iter().next().map(convert::entity)).map_err(refused))
    }

    async fn find(
        &mut self,
        kind: String,
        filter: String,
        limit: u32,
    ) -> Result<std::result::Result<Vec<imports::types::Entity>, imports::lookup::LookupError>> {
        let found = self.look_up(LookupAsk::Find(kind, filter, limit)).await;
        Ok(found.map(|found| found.into_iter().map(convert::entity).collect()).map_err(refused))
    }
}

fn refused(why: crate::state::NoLookup) -> imports::lookup::LookupError {
    use crate::state::NoLookup;
    match why {
        NoLookup::TooMany => imports::lookup::LookupError::TooMany,
        NoLookup::NotHere => imports::lookup::LookupError::NotHere,
        NoLookup::Failed(LookupError::Unsupported(what)) => imports::lookup::LookupError::Unsupported(what),
        NoLookup::Failed(LookupError::Unavailable) => imports::lookup::LookupError::Unavailable,
    }
}
