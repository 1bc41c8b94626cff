//! `tessera:plugin@1.0.0`: calls of guests that were built for this version, from request to reply.

mod from_guest;
mod generated;
mod imports;
mod to_guest;
mod values;

use tessera_core::plugin::{PluginRequest, Reply};
use wasmtime::component::{Component, Instance, InstancePre};
use wasmtime::{Result, Store};

pub(crate) use self::imports::link;
use crate::bindings::v1_0::generated::exports::tessera::plugin as exports;
use crate::call_state::CallState;
use crate::contract::{Contract, GuestResult, InvalidReply, TypeMismatch};

/// Functions of the interface `pricing`.
const PRICING: &str = "quote: func(context, request) -> result<decision, list<violation>>";

/// Functions of the interface `validation`.
const VALIDATION: &str = "validate: func(context, request) -> result<_, list<violation>>";

/// Functions of the interface `workflow`.
const WORKFLOW: &str = "describe-machine: func(string) -> option<machine>; \
    describe-commands: func(string) -> list<command>; \
    guard: func(context, entity, list<string>) -> list<result<_, list<violation>>>; \
    on-change: func(context, entity, option<entity>, list<change>) -> result<list<effect>, list<violation>>; \
    on-timer: func(context, entity, string) -> result<list<effect>, list<violation>>; \
    on-command: func(context, entity, string, list<field>) -> result<list<effect>, list<violation>>";

/// Interfaces that a component of this version exports, looked up once for all calls.
pub(crate) struct Exports {
    manifest: exports::manifest::GuestIndices,
    pricing: Option<exports::pricing::GuestIndices>,
    validation: Option<exports::validation::GuestIndices>,
    workflow: Option<exports::workflow::GuestIndices>,
}

impl Exports {
    /// Looks up a component's exports; an interface that is exported must be complete.
    pub(crate) fn find(pre: &InstancePre<CallState>) -> Result<Self> {
        let component: &Component = pre.component();
        let is_exported = |name: &str| {
            let name = Contract::V1_0.interface(name);
            component.get_export_index(None, &name).is_some()
        };
        let pricing = is_exported("pricing").then(|| exports::pricing::GuestIndices::new(pre));
        let validation = is_exported("validation").then(|| exports::validation::GuestIndices::new(pre));
        let workflow = is_exported("workflow").then(|| exports::workflow::GuestIndices::new(pre));
        Ok(Self {
            manifest: exports::manifest::GuestIndices::new(pre)?,
            pricing: pricing.transpose()?,
            validation: validation.transpose()?,
            workflow: workflow.transpose()?,
        })
    }

    /// Refuses exports whose types are not the contract's.
    pub(crate) fn check_types(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
    ) -> std::result::Result<(), TypeMismatch> {
        let mismatch = |interface, expected| move |_: wasmtime::Error| TypeMismatch { interface, expected };
        let manifest = self.manifest.load(&mut *store, instance).map(drop);
        manifest.map_err(mismatch("manifest", "describe: func() -> info"))?;
        if let Some(indices) = &self.pricing {
            let loaded = indices.load(&mut *store, instance).map(drop);
            loaded.map_err(mismatch("pricing", PRICING))?;
        }
        if let Some(indices) = &self.validation {
            let loaded = indices.load(&mut *store, instance).map(drop);
            loaded.map_err(mismatch("validation", VALIDATION))?;
        }
        if let Some(indices) = &self.workflow {
            let loaded = indices.load(&mut *store, instance).map(drop);
            loaded.map_err(mismatch("workflow", WORKFLOW))?;
        }
        Ok(())
    }

    /// Calls a function of an instance.
    pub(crate) async fn call(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
        request: PluginRequest,
    ) -> GuestResult {
        match request {
            PluginRequest::Describe => {
                let guest = self.manifest.load(&mut *store, instance)?;
                Ok(from_guest::manifest(guest.call_describe(store).await?).map(Reply::Manifest))
            }
            PluginRequest::Validate(context, request) => {
                let Some(indices) = &self.validation else { return Ok(Err(not_exported("validation"))) };
                let guest = indices.load(&mut *store, instance)?;
                let (context, request) = (to_guest::context(context), to_guest::validation(request));
                let result = guest.call_validate(store, &context, &request).await?;
                Ok(result.map_or_else(from_guest::refusals, |()| Ok(Vec::new())).map(Reply::Verdict))
            }
            PluginRequest::Quote(context, basket) => {
                let Some(indices) = &self.pricing else { return Ok(Err(not_exported("pricing"))) };
                let guest = indices.load(&mut *store, instance)?;
                let lines = basket.lines.len();
                let (context, request) = (to_guest::context(context), to_guest::basket(basket));
                let result = guest.call_quote(store, &context, &request).await?;
                Ok(from_guest::quote(result, lines).map(Reply::Quote))
            }
            PluginRequest::DescribeMachine(_)
            | PluginRequest::DescribeCommands(_)
            | PluginRequest::Guard(..)
            | PluginRequest::OnChange(..)
            | PluginRequest::OnTimer(..)
            | PluginRequest::OnCommand(..) => self.call_workflow(store, instance, request).await,
        }
    }

    async fn call_workflow(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
        request: PluginRequest,
    ) -> GuestResult {
        let Some(indices) = &self.workflow else { return Ok(Err(not_exported("workflow"))) };
        let guest = indices.load(&mut *store, instance)?;
        let result = match request {
            PluginRequest::DescribeMachine(kind) => {
                let machine = guest.call_describe_machine(store, &kind).await?;
                return Ok(machine.map(from_guest::machine).transpose().map(Reply::Machine));
            }
            PluginRequest::DescribeCommands(kind) => {
                let commands = guest.call_describe_commands(store, &kind).await?;
                return Ok(Ok(Reply::Commands(commands.into_iter().map(from_guest::command).collect())));
            }
            PluginRequest::Guard(context, issue, transitions) => {
                let (context, issue) = (to_guest::context(context), to_guest::entity(issue));
                let results = guest.call_guard(store, &context, &issue, &transitions).await?;
                return Ok(from_guest::guard(results, transitions.len()).map(Reply::Guard));
            }
            PluginRequest::OnChange(context, issue, before, changes) => {
                let (context, issue) = (to_guest::context(context), to_guest::entity(issue));
                let before = before.map(to_guest::entity);
                let changes: Vec<_> = changes.into_iter().map(to_guest::change).collect();
                guest.call_on_change(store, &context, &issue, before.as_ref(), &changes).await?
            }
            PluginRequest::OnTimer(context, issue, timer) => {
                let (context, issue) = (to_guest::context(context), to_guest::entity(issue));
                guest.call_on_timer(store, &context, &issue, &timer).await?
            }
            PluginRequest::OnCommand(context, issue, command, input) => {
                let (context, issue) = (to_guest::context(context), to_guest::entity(issue));
                let input = values::to_fields(input);
                guest.call_on_command(store, &context, &issue, &command, &input).await?
            }
            PluginRequest::Describe | PluginRequest::Validate(..) | PluginRequest::Quote(..) => {
                return Ok(Err(not_exported("workflow")));
            }
        };
        Ok(from_guest::effects(result).map(Reply::Effects))
    }
}

fn not_exported(hook: &str) -> InvalidReply {
    InvalidReply(format!("the component does not export the hook {hook}"))
}
