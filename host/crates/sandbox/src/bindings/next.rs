//! A version of the contract that only tests serve beside the present one. It has validation, and an import more: the
//! name of the host.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

use tessera_core::plugin::{PluginRequest, Reply};
use wasmtime::component::{HasSelf, Instance, InstancePre, Linker};
use wasmtime::{Result, Store};

use crate::call_state::CallState;
use crate::contract::{GuestResult, InvalidReply};

wasmtime::component::bindgen!({
    inline: "
        package tessera:plugin@2.0.0;

        interface types {
            type timestamp = u64;
            record money { amount: s64, currency: string }
            variant value {
                none, text(string), integer(s64), decimal(string), boolean(bool), time(timestamp), money(money),
                texts(list<string>), json(string),
            }
            record field { name: string, value: value }
            record entity { kind: string, id: string, version: u64, fields: list<field> }
            record change { field: string, before: value, after: value }
            record actor { id: string, roles: list<string> }
            record context {
                tenant: string, invocation: string, now: timestamp, actor: actor, dry-run: bool, cause: list<string>,
                attributes: list<field>,
            }
            record violation { field: option<string>, code: string, message: string }
        }

        interface host {
            enum level { debug, info, warn, error }
            log: func(level: level, message: string);
            settings: func() -> string;
            /// New in this version.
            name: func() -> string;
        }

        interface validation {
            use types.{context, entity, change, violation};
            record request {
                operation: string, subject: entity, before: option<entity>, changes: list<change>,
            }
            validate: func(context: context, request: request) -> result<_, list<violation>>;
        }

        world next {
            import host;
            export validation;
        }
    ",
    imports: { default: trappable },
    exports: { default: async },
});

use self::exports::tessera::plugin::validation;
use self::tessera::plugin::{host, types};

pub(crate) struct Exports(validation::GuestIndices);

pub(crate) fn link(linker: &mut Linker<CallState>) -> Result<()> {
    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    host::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

impl types::Host for CallState {}

impl host::Host for CallState {
    fn log(&mut self, _: host::Level, message: String) -> Result<()> {
        self.append_log(tessera_core::plugin::LogLevel::Info, message);
        Ok(())
    }

    fn settings(&mut self) -> Result<String> {
        Ok(self.settings_json().to_owned())
    }

    fn name(&mut self) -> Result<String> {
        Ok("next".to_owned())
    }
}

impl Exports {
    pub(crate) fn find(pre: &InstancePre<CallState>) -> Result<Self> {
        validation::GuestIndices::new(pre).map(Self)
    }

    pub(crate) async fn call(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
        request: PluginRequest,
    ) -> GuestResult {
        let PluginRequest::Validate(context, request) = request else {
            return Ok(Err(InvalidReply("this version has only validation".to_owned())));
        };
        let guest = self.0.load(&mut *store, instance)?;
        let text = |value: &tessera_core::Value| match value {
            tessera_core::Value::Text(text) => types::Value::Text(text.clone()),
            _ => types::Value::None,
        };
        let fields = request.subject.fields.iter();
        let fields = fields.map(|field| types::Field { name: field.name.clone(), value: text(&field.value) });
        let guest_context = types::Context {
            tenant: context.tenant.clone(),
            invocation: context.invocation.clone(),
            now: 0,
            actor: types::Actor { id: context.actor.clone(), roles: Vec::new() },
            dry_run: context.dry_run,
            cause: Vec::new(),
            attributes: Vec::new(),
        };
        let subject = types::Entity {
            kind: request.subject.kind.clone(),
            id: request.subject.id.clone(),
            version: request.subject.version,
            fields: fields.collect(),
        };
        let operation = request.operation.clone();
        let request = validation::Request { operation, subject, before: None, changes: Vec::new() };
        let result = guest.call_validate(store, &guest_context, &request).await?;
        let violations = result.err().unwrap_or_default().into_iter();
        let refusals = violations.map(|violation| tessera_core::plugin::Refusal {
            field: violation.field,
            code: violation.code,
            message: format!("next: {}", violation.message),
        });
        Ok(Ok(Reply::Verdict(refusals.collect())))
    }
}
